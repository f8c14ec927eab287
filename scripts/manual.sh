# shellcheck shell=bash
# What ships beside the program and is made by it. Sourced by scripts/archive and scripts/deb.

# make_manual PROGRAM: its manual pages and completions, in target/manual.
make_manual() {
    local program=$1 folder=$ROOT/target/manual
    rm -rf "$folder"
    mkdir -p "$folder/man" "$folder/completions"
    "$program" man "$folder/man/" >/dev/null
    "$program" completions bash >"$folder/completions/tidelock.bash"
    "$program" completions zsh >"$folder/completions/_tidelock"
    "$program" completions fish >"$folder/completions/tidelock.fish"
}

# The version in Cargo.toml.
version() { sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1; }

# Where cargo puts what it builds.
target_folder() { echo "${CARGO_TARGET_DIR:-$ROOT/target}"; }
