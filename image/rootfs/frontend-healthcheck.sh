#!/bin/sh
# Exit code 0 when the container's services are ready; else 1 and a line per problem.
cd /usr/lib/one/onebox || exit 1
exec /usr/lib/one/venv/bin/python -m bootstrap.health "$@"
