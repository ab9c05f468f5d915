# Read by the scripts here (". servers.sh"): where the servers live and under which user they run.

# Servers that Debian 12 does not have are unpacked into a folder of their own, see unpack-suite.
servers_folder() {
  if [ -n "${DUET_SERVERS:-}" ]; then echo "$DUET_SERVERS"
  elif [ "$(id -u)" = 0 ] || [ -w /opt/duet-servers ]; then echo /opt/duet-servers
  else echo "${XDG_CACHE_HOME:-$HOME/.cache}/duet-servers"; fi
}

# find_unpacked NAME FILE: the prefix below one of the possible folders that holds FILE.
find_unpacked() {
  local folder
  for folder in "$(servers_folder)" /opt/duet-servers "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/duet-servers"; do
    [ -e "$folder/$1/.unpacked" ] && [ -x "$folder/$1/$2" ] && { echo "$folder/$1"; return 0; }
  done
  return 1
}

# A private server's folder may be on any path, but its user must be able to reach it.
prepare_folder() {
  mkdir -p "$1"
  [ "$(id -u)" != 0 ] || [ "$2" = root ] || chown "$2" "$1"
}

# A process that nobody has waited for is a zombie: it has ended.
is_running() {
  local state
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) && [ "$state" != Z ]
}

# wait_for_end PID SECONDS
wait_for_end() {
  local i
  for ((i = 0; i < $2 * 20; i++)); do
    is_running "$1" || return 0
    sleep 0.05
  done
  return 1
}
