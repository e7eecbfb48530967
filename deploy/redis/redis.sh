#!/bin/sh
# Redis as deployed. What the container runs:
#   redis.sh serve     mend the append-only file, then serve
#   redis.sh healthy   whether it answers
#   redis.sh users     print the users with the hashes of their passwords
#   redis.sh mend DIR  cut off what a crash left half-written at the end of the append-only file in DIR
# A user's password is REDIS_<USER>_PASSWORD, or stands in the file that REDIS_<USER>_PASSWORD_FILE names.
set -eu
here=$(dirname "$0")

password() { # password USER
  name=REDIS_$(printf %s "$1" | tr 'a-z-' 'A-Z_')_PASSWORD
  eval "value=\${$name:-} file=\${${name}_FILE:-}"
  if [ -n "$file" ]; then value=$(cat "$file"); fi
  if [ -z "$value" ]; then
    echo "redis.sh: $name is not set; set it, or name a file that holds it in ${name}_FILE" >&2
    return 1
  fi
  printf %s "$value"
}

users() {
  awk '/^#/ || !NF { next } /^user / { if (line) print line; line = $0; next } { sub(/^ +/, " "); line = line $0 } END { print line }' \
    "$here/users.acl" | while read -r _ user rules; do
    if [ "$user" = default ]; then
      echo "user $user $rules"
    else
      secret=$(password "$user")
      hash=$(printf %s "$secret" | sha256sum)
      echo "user $user on #${hash%% *} ${rules#on }"
    fi
  done
}

# With aof-load-truncated the server cuts off a half-written command by itself, but Redis 7 not the half-written MULTI that a
# crash leaves of a script: it stays, and at the second restart all that was written after it is lost. Only the last file can
# have such an end. What is cut off may be more than that, should the disk be bad: so the file is kept as it was.
mend() { # mend DIR
  manifest=$1/appendonly.aof.manifest
  if [ ! -e "$manifest" ]; then return 0; fi
  last=$(awk '$NF == "i" { name = $2 } END { print name }' "$manifest")
  if [ -z "$last" ] || [ ! -e "$1/$last" ]; then return 0; fi
  # A manifest of that file alone: Redis 7.0 takes a file for a manifest when any of its lines begins with "file", as our group's
  # name does, and Valkey 9 does not know its own base file, which the whole manifest names.
  alone=$1/mend.manifest
  awk '$NF == "i" { line = $0 } END { print line }' "$manifest" >"$alone"
  if ! redis-check-aof "$alone" >/dev/null 2>&1; then
    kept=$(dirname "$1")/$last.$(date -u +%Y%m%dT%H%M%SZ)
    cp "$1/$last" "$kept"
    yes | redis-check-aof --fix "$alone"
    echo "redis.sh: $last had a damaged end, which was cut off; as it was, it is in $kept"
  fi
  rm "$alone"
}

serve() {
  acl=${TMPDIR:-/tmp}/users.acl
  (umask 077 && users >"$acl")
  if [ "$(id -u)" = 0 ]; then chown redis "$acl"; fi
  mend "$(pwd)/appendonlydir"
  exec docker-entrypoint.sh redis-server --aclfile "$acl" --appendonly yes --appendfsync everysec --save "" \
    --maxmemory 1gb --maxmemory-policy noeviction
}

healthy() {
  secret=$(password admin)
  REDISCLI_AUTH=$secret redis-cli --user admin ping | grep -q PONG
}

case ${1:-} in
  serve | healthy | users) "$1" ;;
  mend) mend "$2" ;;
  *)
    sed -n '2,7p' "$0" >&2
    exit 2
    ;;
esac
