# shellcheck shell=bash disable=SC2034,SC2154
# How each server is installed, started, found ready and stopped; read by scripts/services, which sets $set.
#
# For each NAME: install_NAME, ready_NAME, and launch_NAME, which prints the process id. What the set's folder holds for it:
# NAME.port, NAME.pid ("PID START-TIME"), NAME.log, and NAME/ with its data, except where the server's user could not reach it.

all=(postgres redis pulsar)

# Long enough for a broker that recovers on a busy machine.
patience_seconds=120

# --- ports and processes ---

# A port that nobody listens on, below those the system gives out by itself.
free_port() {
  local port
  while :; do
    port=$((12000 + (RANDOM * 32768 + RANDOM) % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# Chooses the port of a server, or of a part of it, once: choose_port pulsar.web
choose_port() { [[ -e $set/$1.port ]] || free_port >"$set/$1.port"; }

port() { cat "$set/$1.port" 2>/dev/null || echo -; }

started_at() { ps -o lstart= -p "$1" 2>/dev/null | tr -s ' '; }

pid_of() { [[ -e $set/$1.pid ]] && cut -d ' ' -f 1 "$set/$1.pid"; }

# Whether the process still runs that was started, and not another one under its number.
alive() {
  local pid start
  [[ -e $set/$1.pid ]] && read -r pid start <"$set/$1.pid" || return 1
  [[ -n $start && $(started_at "$pid") == "$start" && $(ps -o stat= -p "$pid") != Z* ]]
}

# A server's process and its children.
processes() {
  local pid
  pid=$(pid_of "$1")
  echo "$pid"
  pgrep -P "$pid" || true
}

state() {
  if alive "$1"; then
    if [[ $(ps -o stat= -p "$(pid_of "$1")") == T* ]]; then
      echo paused
    else
      "ready_$1" && echo running || echo starting
    fi
  elif [[ -e $set/$1.pid ]]; then
    echo dead
  else
    echo down
  fi
}

signal() {
  alive "$2" || return 0
  # shellcheck disable=SC2046
  kill -s "$1" -- $(processes "$2") 2>/dev/null || true
}

# Runs a server in the background, in a session of its own, and prints its process id.
launch() {
  local name=$1
  shift
  (cd / && exec setsid "$@") </dev/null >>"$set/$name.log" 2>&1 9>&- &
  echo $!
}

# --- what happens to a server ---

# Chooses the ports of a server and runs it.
begin() {
  local pid
  choose_port "$1"
  : >"$set/$1.log"
  "prepare_$1"
  pid=$("launch_$1")
  echo "$pid $(started_at "$pid")" >"$set/$1.pid"
}

start() {
  local name=$1 began=$SECONDS choices=0
  if alive "$name"; then
    signal CONT "$name"
  else
    # Ports that nobody was told yet may be chosen again: somebody else may listen there before a slow server does.
    [[ -e $set/$name.port ]] || choices=3
    begin "$name"
  fi
  until "ready_$name"; do
    if ! alive "$name"; then
      grep -qi "address already in use" "$set/$name.log" && ((choices-- > 0)) || fail "$name ended while it started"
      say "$name: its port was taken meanwhile; choosing another one"
      destroy "$name"
      begin "$name"
    fi
    ((SECONDS - began < patience_seconds)) || fail "$name was not ready within $patience_seconds s"
    sleep 0.1
  done
  say "$name: ready on 127.0.0.1:$(port "$name") after $((SECONDS - began)) s"
}

fail() {
  tail -n 20 "$set/${1%% *}.log" >&2
  die "$1; its log is $set/${1%% *}.log"
}

# Waits until none of these processes runs; zombies don't.
gone() {
  local _
  for _ in $(seq 400); do
    ps -o stat= -p "$(paste -sd, <<<"$1")" | grep -qv '^Z' || return 0
    sleep 0.05
  done
  return 1
}

# SIGKILL to all processes of a server. It is stopped first, so that no child is born meanwhile.
slay() {
  alive "$1" || return 0
  local victims
  signal STOP "$1"
  victims=$(processes "$1")
  signal KILL "$1"
  gone "$victims" || die "$1 does not die"
  [[ $1 != postgres ]] || clean_up_postgres
}

# Asks a server to end, and insists after a while.
stop() {
  alive "$1" || return 0
  signal CONT "$1"
  local signal=TERM
  # Fast shutdown: TERM would wait for its clients to leave.
  [[ $1 != postgres ]] || signal=INT
  kill -s "$signal" "$(pid_of "$1")"
  gone "$(pid_of "$1")" || slay "$1"
}

# Ends a server and removes what it had.
destroy() {
  slay "$1"
  rm -rf "$(data_of "$1")" "${set:?}/$1".* "${set:?}/$1"
}

data_of() {
  if [[ $1 == postgres && $(id -u) == 0 ]]; then
    # The server's own user may not be able to reach a checkout.
    echo "/var/tmp/doorbuster-postgres-$(sha256sum <<<"$set" | cut -c 1-16)"
  else
    echo "$set/$1"
  fi
}

write_env() {
  local name variable
  for name in "${all[@]}"; do
    [[ -e $set/$name.pid ]] || continue
    variable=DOORBUSTER_TEST_${name^^}
    case $name in
      postgres) echo "$variable=postgres://postgres@127.0.0.1:$(port postgres)/postgres" ;;
      redis) echo "$variable=redis://127.0.0.1:$(port redis)" ;;
      pulsar)
        echo "$variable=pulsar://127.0.0.1:$(port pulsar)"
        echo "${variable}_ADMIN=http://127.0.0.1:$(port pulsar.web)"
        echo "${variable}_PERF=$pulsar_home/bin/pulsar-perf"
        echo "${variable}_TLS=pulsar+ssl://127.0.0.1:$(port pulsar.tls)"
        echo "${variable}_TLS_ADMIN=https://127.0.0.1:$(port pulsar.webtls)"
        echo "${variable}_TLS_ROOTS=$set/pulsar/tls/roots.pem"
        ;;
    esac
  done >"$set/env"
}

# --- PostgreSQL ---

postgres_bin() {
  local folder
  for folder in $(compgen -G '/usr/lib/postgresql/*/bin' | sort -rV) "$(pg_config --bindir 2>/dev/null || true)"; do
    [[ -x $folder/initdb && $("$folder/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/') -ge 15 ]] || continue
    echo "$folder"
    return
  done
  return 1
}

install_postgres() {
  postgres_bin >/dev/null || { apt_without_start postgresql && postgres_bin >/dev/null; } ||
    die "PostgreSQL 15 or newer is needed. $(apt_hint postgresql)"
}

# PostgreSQL refuses to run as root.
as_postgres() { if [[ $(id -u) == 0 ]]; then echo setpriv --reuid=postgres --regid=postgres --init-groups; fi; }

prepare_postgres() {
  local data bin as
  data=$(data_of postgres)
  bin=$(postgres_bin)
  read -ra as <<<"$(as_postgres)"
  # Data that this set has not started is what a checkout in the same place left, with another port.
  [[ ! -e $data/PG_VERSION || ! -e $set/postgres.pid ]] || return 0
  [[ ! -e $data ]] || rm -rf "$data"
  mkdir -m 0700 "$data"
  [[ $(id -u) != 0 ]] || chown postgres: "$data"
  (
    cd /
    quietly "${as[@]}" "$bin/initdb" -D "$data" -U postgres --auth=trust --encoding=UTF8 --locale=C
  ) || die "initdb failed"
  cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $(port postgres)
unix_socket_directories = ''
max_connections = 200
fsync = on
synchronous_commit = on
dynamic_shared_memory_type = mmap
log_line_prefix = '%m [%p] '
CONF
}

launch_postgres() {
  local as
  read -ra as <<<"$(as_postgres)"
  launch postgres "${as[@]}" "$(postgres_bin)/postgres" -D "$(data_of postgres)"
}

ready_postgres() { "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$(port postgres)"; }

# What a killed server leaves: a small piece of shared memory, named in line 7 of its lock file, and that file, which would
# keep the next server from starting for as long as the old one's parent has not noticed its death.
clean_up_postgres() {
  local file id
  file=$(data_of postgres)/postmaster.pid
  id=$(sed -n 7p "$file" 2>/dev/null | awk '{ print $2 }')
  [[ -z $id ]] || ipcrm -m "$id" 2>/dev/null || true
  rm -f "$file"
}

# --- Redis ---

redis_is_new_enough() { has redis-server && has redis-cli && [[ $(redis-server --version | sed -E 's/.* v=([0-9]+).*/\1/') -ge 7 ]]; }

install_redis() {
  redis_is_new_enough || { apt_without_start redis-server && redis_is_new_enough; } ||
    die "Redis 7 or newer is needed. $(apt_hint redis-server)"
}

# Kept as a file, so that a test may set what it is about.
prepare_redis() {
  mkdir -p "$set/redis"
  [[ -e $set/redis/redis.conf ]] || cat >"$set/redis/redis.conf" <<CONF
bind 127.0.0.1
port $(port redis)
dir $set/redis
dbfilename dump.rdb
save ""
appendonly no
maxmemory-policy noeviction
enable-debug-command yes
CONF
}

launch_redis() { launch redis redis-server "$set/redis/redis.conf"; }

ready_redis() { [[ $(timeout 2 redis-cli -h 127.0.0.1 -p "$(port redis)" ping 2>/dev/null) == PONG ]]; }

# --- Pulsar ---

pulsar_version=4.0.8
pulsar_sha512=65b769b10696cdfebf7fc5bcdc95dd663702e27051e616c1a13cb100e91279525be35352171befe7b0011176330aab29bd0a6c8a0f2f0646641af46d2e33cbd6

cache=${XDG_CACHE_HOME:-$HOME/.cache}/doorbuster
pulsar_home=$cache/apache-pulsar-$pulsar_version

java_is_new_enough() { has java && [[ $(java -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p') -ge 17 ]]; }

install_pulsar() {
  java_is_new_enough || apt_install openjdk-17-jre-headless || apt_install default-jre-headless || true
  java_is_new_enough || die "Java 17 or newer is needed for Pulsar. $(apt_hint default-jre-headless)"
  has curl || apt_install curl || die "curl is needed. $(apt_hint curl)"
  [[ ! -d $pulsar_home ]] || return 0
  mkdir -p "$cache"
  (
    flock 8
    [[ -d $pulsar_home ]] || fetch_pulsar
  ) 8>"$cache/lock"
}

# The distribution as it was published to Maven Central, unpacked once for all checkouts.
fetch_pulsar() {
  has mvn || apt_install maven || die "Maven is needed to fetch Pulsar. $(apt_hint maven)"
  say "pulsar: fetching $pulsar_version from Maven Central into $cache (245 MB, once)"
  local scratch archive=pulsar-server-distribution-$pulsar_version-bin.tar.gz
  scratch=$(mktemp -d "$cache/fetch.XXXXXX")
  if quietly mvn -B -ntp org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    "-Dartifact=org.apache.pulsar:pulsar-server-distribution:$pulsar_version:tar.gz:bin" "-DoutputDirectory=$scratch" &&
    quietly sha512sum -c - <<<"$pulsar_sha512  $scratch/$archive" &&
    tar xzf "$scratch/$archive" -C "$scratch"; then
    mv "$scratch/apache-pulsar-$pulsar_version" "$pulsar_home"
  fi
  rm -rf "$scratch"
  [[ -d $pulsar_home ]] || die "Pulsar $pulsar_version could not be fetched, or its checksum is wrong"
}

# A certificate for the broker from an authority that nobody else trusts: FOLDER/{roots,broker}.pem
certify_pulsar() {
  has openssl || apt_install openssl || die "openssl is needed. $(apt_hint openssl)"
  local key=(-newkey rsa:2048 -nodes)
  mkdir -p "$1"
  (
    cd "$1"
    quietly openssl req -x509 "${key[@]}" -keyout roots.key -out roots.pem -subj "/CN=Authority of a test" -days 365 &&
      quietly openssl req "${key[@]}" -keyout broker.key -out broker.csr -subj "/CN=broker" -addext "subjectAltName=IP:127.0.0.1" &&
      quietly openssl x509 -req -in broker.csr -CA roots.pem -CAkey roots.key -CAcreateserial -copy_extensions copy -out broker.pem -days 365
  ) || die "openssl could not make the broker's certificate"
}

# The settings, and why: deploy/README.md.
prepare_pulsar() {
  local part
  mkdir -p "$set/pulsar/tmp"
  for part in web zookeeper bookie tls webtls; do choose_port "pulsar.$part"; done
  [[ -e $set/pulsar/tls/broker.pem ]] || certify_pulsar "$set/pulsar/tls"
  {
    cat "$pulsar_home/conf/standalone.conf"
    # The file ends without a line feed.
    printf '\n'
    cat scripts/pulsar-standalone.conf
    printf '%s\n' "brokerServicePort=$(port pulsar)" "webServicePort=$(port pulsar.web)"
    printf '%s\n' "brokerServicePortTls=$(port pulsar.tls)" "webServicePortTls=$(port pulsar.webtls)" \
      "tlsCertificateFilePath=$set/pulsar/tls/broker.pem" "tlsKeyFilePath=$set/pulsar/tls/broker.key" "tlsProvider=JDK" \
      "webServiceTlsProvider=SunJSSE"
  } >"$set/pulsar/standalone.conf"
}

launch_pulsar() {
  local dir=$set/pulsar java=(-XX:-UsePerfData "-Djava.io.tmpdir=$set/pulsar/tmp" -Dpulsar.allocator.exit_on_oom=true)
  launch pulsar env PULSAR_STANDALONE_USE_ZOOKEEPER=1 "PULSAR_STANDALONE_CONF=$dir/standalone.conf" "PULSAR_LOG_DIR=$dir/logs" \
    PULSAR_LOG_LEVEL=info "PULSAR_MEM=${PULSAR_MEM:--Xms256m -Xmx640m -XX:MaxDirectMemorySize=512m}" PULSAR_GC="-XX:+UseSerialGC" \
    PULSAR_EXTRA_OPTS="${java[*]}" \
    "$pulsar_home/bin/pulsar" standalone -nfw -nss -a 127.0.0.1 --zookeeper-dir "$dir/zookeeper" --zookeeper-port "$(port pulsar.zookeeper)" \
    --bookkeeper-dir "$dir/bookkeeper" --bookkeeper-port "$(port pulsar.bookie)"
}

ready_pulsar() {
  [[ $(curl --silent --noproxy '*' --max-time 5 "http://127.0.0.1:$(port pulsar.web)/admin/v2/brokers/health") == ok ]]
}
