"""What an identity did within five minutes, as numbers, and how strange these numbers are."""
