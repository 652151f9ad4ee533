"""What brings records to Kafka: producer, webhook, tail, inbox."""
