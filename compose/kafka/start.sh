#!/bin/sh
# Formats the data folder at the first start, then becomes the broker. Calls only Kafka's own
# scripts, not the image's: those refuse settings that a mounted server.properties already has.
set -eu
properties=/etc/trailwarden/server.properties

/opt/kafka/bin/kafka-storage.sh format --ignore-formatted \
    --cluster-id "$(cat /run/secrets/kafka_cluster_id)" --config "$properties"

exec /opt/kafka/bin/kafka-server-start.sh "$properties" \
    --override "advertised.listeners=CLIENTS://kafka:9092,ADMIN://kafka:9094,SHIPPERS://${SHIPPERS_HOST:-localhost}:${SHIPPERS_PORT:-9095}"
