#!/bin/bash
# The image takes ELASTIC_PASSWORD_FILE only if its mode is 400 or 600, which a file of another
# user of the host cannot have and be readable here. The password is used at the first start only.
set -eu
ELASTIC_PASSWORD="$(cat /run/secrets/elastic_password)"
export ELASTIC_PASSWORD
exec /usr/local/bin/docker-entrypoint.sh eswrapper
