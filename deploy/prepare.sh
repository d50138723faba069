#!/bin/sh
# Makes what the containers keep secret, into deploy/secrets: a CA and Redis's certificate, a password for each of its users,
# the clients' API key. What is there already stays, so it can be run again: for another host name, delete redis.crt first.
#
#   deploy/prepare.sh --host NAME-OR-ADDRESS [--out FOLDER]
#
# Needs openssl. The folder is its user's alone; files in it that a container's own user has to read are not.
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
out=$here/secrets
host=

usage() {
  echo "usage: deploy/prepare.sh --host NAME-OR-ADDRESS [--out FOLDER]" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --host | --out) [ $# -ge 2 ] || usage ;;
    *) usage ;;
  esac
  case $1 in
    --host) host=$2 ;;
    --out) out=$2 ;;
  esac
  shift 2
done
[ -n "$host" ] || usage
command -v openssl >/dev/null || { echo "prepare: openssl is needed" >&2; exit 2; }
mkdir -p "$out"

# A file is there whole or not at all.
put() { cat >"$out/$1.new" && mv "$out/$1.new" "$out/$1"; }
shared() { chmod 644 "$out/$1"; }
secret() { [ -s "$out/$1" ] || openssl rand -hex 24 | put "$1"; cat "$out/$1"; }
digest() { printf %s "$1" | openssl dgst -sha256 | sed 's/.*= *//'; }

if [ ! -s "$out/ca.crt" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=mlx-pool" \
    -addext keyUsage=critical,keyCertSign -keyout "$out/ca.key" -out "$out/ca.crt" 2>/dev/null
fi
if [ ! -s "$out/redis.crt" ]; then
  case $host in
    *[!0-9.]*:* | *:*) name="IP:$host" ;;
    *[!0-9.]*) name="DNS:$host" ;;
    *) name="IP:$host" ;;
  esac
  printf 'basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName=%s\n' \
    "DNS:redis,DNS:localhost,IP:127.0.0.1,$name" | put redis.ext
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=redis" \
    -keyout "$out/redis.key" -out "$out/redis.csr" 2>/dev/null
  openssl x509 -req -in "$out/redis.csr" -CA "$out/ca.crt" -CAkey "$out/ca.key" -CAcreateserial -days 825 \
    -extfile "$out/redis.ext" -out "$out/redis.crt" 2>/dev/null
  rm -f "$out/redis.csr" "$out/redis.ext"
fi

# Redis keeps only the passwords' digests. In users.acl of the repository `>PASSWORD` stands for them.
{
  echo "user default off resetpass resetkeys resetchannels -@all"
  echo "user admin on #$(digest "$(secret admin.password)") ~* &* +@all"
  while read -r word name rules; do
    [ "$word" = user ] || continue
    echo "user $name $rules" | sed "s/>PASSWORD/#$(digest "$(secret "$name.password")")/"
  done <"$here/redis/users.acl"
} | put users.acl

place() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }
url() { echo "rediss://$1:$(secret "$1.password")@$(place "$2"):6379/0?ssl_ca_certs=$3"; }
printf 'MLX_POOL_REDIS_URL=%s\nMLX_POOL_API_KEY=%s\n' "$(url gateway redis /run/secrets/ca.crt)" "$(secret api-key)" |
  put gateway.env
printf 'MLX_POOL_REDIS_URL=%s\n' "$(url worker redis /run/secrets/ca.crt)" | put worker.env
printf 'REDISCLI_AUTH=%s\n' "$(secret monitor.password)" | put redis.env
printf 'GF_SECURITY_ADMIN_PASSWORD=%s\n' "$(secret grafana.password)" | put grafana.env
for name in ca.crt redis.crt redis.key users.acl api-key; do shared "$name"; done

cat <<END
made in $out

A Mac joins with a copy of ca.crt and
  mlx-pool worker --model smollm2-135m --redis '$(url worker "$host" ca.crt)'
as its administrator you come by
  $(url admin "$host" ca.crt)
END
