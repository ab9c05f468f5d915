# Read by scripts that build: configure and build with calm progress.

# One folder for the demo, the tests and the bench, so that whoever runs all three compiles once.
release_folder=build/release
release_options=(-DCMAKE_BUILD_TYPE=Release -DDUET_TESTS=ON -DDUET_BENCH=ON -DDUET_DEMO=ON)

# build_duet FOLDER LOG TARGETS CMAKE_OPTION...: TARGETS is a list in one word, "" for all. One line of progress each few
# seconds; the log's tail only if it fails.
build_duet() {
  local folder=$1 log=$2 targets=$3 start=$SECONDS shown=-1 line done_steps all_steps percent; shift 3
  local jobs memory_gb
  jobs=$(nproc)
  memory_gb=$(awk '/MemTotal/ {print int($2 / 1048576)}' /proc/meminfo)
  ((jobs <= memory_gb)) || jobs=$((memory_gb > 1 ? memory_gb : 1))  # a compiler takes up to 1 GB
  mkdir -p "$folder"
  if ! cmake -G Ninja -S "$(dirname "${BASH_SOURCE[0]}")/../.." -B "$folder" "$@" >"$log" 2>&1; then
    echo "configuring failed:"; tail -n 30 "$log"; return 1
  fi
  # shellcheck disable=SC2086
  (set -o pipefail; cmake --build "$folder" -j "$jobs" ${targets:+--target $targets} 2>&1 | tee -a "$log" | while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (Building|Linking) ]] || continue
    done_steps=${BASH_REMATCH[1]} all_steps=${BASH_REMATCH[2]} percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
    if ((percent / 10 > shown)); then
      printf '  building: %3d %%  (%d of %d steps, %d s)\n' "$percent" "$done_steps" "$all_steps" $((SECONDS - start))
      shown=$((percent / 10))
    fi
  done) || { echo "building failed:"; grep -E -A6 'error:|FAILED:|undefined reference|ninja: error' "$log" | head -n 60; echo "the whole log: $log"; return 1; }
  echo "  built in $((SECONDS - start)) s"
}
