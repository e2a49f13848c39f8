#!/bin/sh
# bench-redis.sh [BATCH...]: durable writes of this server beside those of Redis, in turns on the same disk.
#
# Both keep every write on disk before they acknowledge it: Redis with appendfsync always, this server by default. Both
# get 50 connections, values of 100 bytes and 1 000 000 keys; a batch is a pipeline for Redis (redis-benchmark) and a frame for
# this server (topgun bench write). Needs redis-server and redis-benchmark (Debian: apt-get install redis-server)
# and bin/topgun (make build).
#
#   SECONDS_EACH  measured seconds of each turn, default 10
#   ROUNDS        turns of each, default 3; medians are compared
#   DIR           directory on the disk to measure, default the system's for temporary files
set -eu

cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-10}
rounds=${ROUNDS:-3}
connections=50
keys=1000000
[ $# -gt 0 ] || set -- 1 10 100

for tool in redis-server redis-benchmark redis-cli; do
	command -v $tool > /dev/null || { echo "bench-redis: $tool is not installed (Debian: apt-get install redis-server)" >&2; exit 1; }
done
[ -x bin/topgun ] || { echo "bench-redis: bin/topgun is not there; run make build" >&2; exit 1; }

dir=$(mktemp -d "${DIR:-${TMPDIR:-/tmp}}/bench-redis-XXXXXX")
server=
stop_redis() {
	[ -n "$server" ] || return 0
	kill "$server" 2> /dev/null || true
	wait "$server" 2> /dev/null || true
	server=
}
trap 'stop_redis; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

# start_redis starts a server on an empty directory and waits until it answers. It rewrites its log and makes no
# snapshots beside it, as Redis does by itself with appendonly.
start_redis() {
	mkdir "$dir/redis"
	redis-server --bind 127.0.0.1 --port "$port" --dir "$dir/redis" --appendonly yes --appendfsync always \
		--save '' --daemonize no > "$dir/redis.log" 2>&1 &
	server=$!
	tries=0
	until redis-cli -p "$port" ping > /dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { cat "$dir/redis.log" >&2; exit 1; }
		sleep 0.1
	done
}

# redis_rate BATCH prints the writes a second of one turn. redis-benchmark counts requests and not seconds, so a short
# run says how many there have to be.
redis_rate() {
	probe=$(redis_run "$1" $((20000 + 4000 * $1)))
	redis_run "$1" $((probe * seconds))
}

redis_run() {
	redis-benchmark -p "$port" -t set -d 100 -r $keys -c $connections -P "$1" -n "$2" --csv |
		awk -F '"' '$2 == "SET" { printf "%d\n", $4 }'
}

topgun_rate() {
	bin/topgun bench write --connections $connections --batch "$1" --concern persisted --value-bytes 100 --keys $keys \
		--duration "${seconds}s" --warmup 3s --dir "$dir" --json "$dir/topgun.json" > /dev/null
	awk -F '[:,]' '/"ops_per_s"/ { printf "%d\n", $2 }' "$dir/topgun.json"
}

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : int((v[NR / 2] + v[NR / 2 + 1]) / 2) }'; }

port=${REDIS_PORT:-7399}
echo "$(redis-server --version | cut -d ' ' -f 1-3); $(bin/topgun version | head -n 1)"
echo "batch      redis/s     topgun/s   ratio"
for batch; do
	: > "$dir/redis.rates"; : > "$dir/topgun.rates"
	for _ in $(seq "$rounds"); do
		start_redis
		redis_rate "$batch" >> "$dir/redis.rates"
		stop_redis
		rm -rf "$dir/redis"
		topgun_rate "$batch" >> "$dir/topgun.rates"
	done
	r=$(median "$dir/redis.rates"); t=$(median "$dir/topgun.rates")
	awk -v b="$batch" -v r="$r" -v t="$t" 'BEGIN { printf "%5d %12d %12d %7.2f\n", b, r, t, t / r }'
done
