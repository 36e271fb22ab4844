#!/bin/sh
# Prints an .env for compose.yaml with secrets that were made just now.
#   sh env.sh https://broker.example > .env
set -eu
umask 077
url=${1:-http://localhost:8080}
secret() { openssl rand -hex 24; }
cat <<END
PUBLIC_BASE_URL=$url
POSTGRES_PASSWORD=$(secret)
REDIS_PASSWORD=$(secret)
NATS_PASSWORD=$(secret)
ADMIN_TOKEN=$(secret)
METRICS_TOKEN=$(secret)
AINP_PROXY_SECRET=$(secret)
GRAFANA_PASSWORD=$(secret)
BROKER_PRIVATE_KEY=$(openssl rand -base64 32)
END
case $url in
https://*) printf 'SITE=%s\nBIND=0.0.0.0\nHTTP_PORT=80\nHTTPS_PORT=443\n' "$url" ;;
esac
