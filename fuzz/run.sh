#!/bin/sh
# Fuzzes on the stable toolchain: fuzz/run.sh SECONDS [TARGET…], by default all targets, each for so many seconds. What it
# makes lies in target/fuzz; inputs that are found are kept there for the next run. Fails if a target does.
set -eu

seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET…]}
shift
cd "$(dirname "$0")/.."
here=$PWD/target/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')

fuzz=$(command -v cargo-fuzz || echo "$here/tools/bin/cargo-fuzz")
if [ ! -x "$fuzz" ]; then
    cargo install --quiet --locked --root "$here/tools" --version 0.13.2 cargo-fuzz
fi
if [ $# -eq 0 ]; then
    for source in fuzz/fuzz_targets/*.rs; do
        set -- "$@" "$(basename "$source" .rs)"
    done
fi

failed=
for target in "$@"; do
    # Sanitizers need nightly; there is no unsafe code in these rooms for them to watch.
    "$fuzz" build --sanitizer none --target-dir "$here/build" "$target"
    mkdir -p "$here/corpus/$target" "$here/crashes"
    echo "fuzz: $target for $seconds s"
    "$here/build/$host/release/$target" "$here/corpus/$target" "fuzz/seeds/$target" \
        -dict=fuzz/http.dict -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$here/crashes/$target-" >"$here/$target.log" 2>&1 || failed="$failed $target"
    grep -E 'DONE|stat::number_of_executed_units|stat::average_exec_per_sec' "$here/$target.log" || true
done
for target in $failed; do
    echo "fuzz: $target failed; the input is in $here/crashes, the log is $here/$target.log" >&2
    grep -E 'panicked at|ERROR: libFuzzer|Test unit written' -A 1 "$here/$target.log" >&2 || true
done
[ -z "$failed" ]
