"""Stage 4 of the data path: findings and events leave."""
