#!/usr/bin/env bash
# Puts the binary at a known path: the released one of this very version, checked against the table of SHA-256 that the
# action carries, else one built from the sources of the action by their lock file.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

output verdict error
output exit-code 3

bin=$GATE_ROOT/bin/gate
[[ ${RUNNER_OS:-} == Windows ]] && bin=$bin.exe

sha256() {
  local found
  found=$( (sha256sum "$1" 2>/dev/null || shasum -a 256 "$1") | cut -d ' ' -f 1)
  printf '%s' "${found#\\}"
}

target() {
  case ${RUNNER_OS:-}-${RUNNER_ARCH:-} in
    Linux-X64) echo x86_64-unknown-linux-musl ;;
    Linux-ARM64) echo aarch64-unknown-linux-musl ;;
    macOS-X64) echo x86_64-apple-darwin ;;
    macOS-ARM64) echo aarch64-apple-darwin ;;
    Windows-X64) echo x86_64-pc-windows-msvc ;;
  esac
}

# download: the released binary of this version and machine; fails where there is none or it cannot be fetched.
download() {
  local name archive listed found
  name=gate-$IN_VERSION-$(target)
  listed=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\.tar\.gz\$/\1/p" "$GITHUB_ACTION_PATH/checksums.txt")
  [[ $listed =~ ^[0-9a-f]{64}$ ]] || return 1
  archive=$GATE_ROOT/$name.tar.gz
  mkdir -p "$GATE_ROOT/bin"
  if ! curl --fail --silent --show-error --location --proto '=https' --retry 3 --max-time 300 --output "$archive" \
    "${GITHUB_SERVER_URL:-https://github.com}/${ACTION_REPOSITORY:-promptgate/gate}/releases/download/$IN_VERSION/$name.tar.gz"; then
    warn "The released binary cannot be fetched; it is built from source instead."
    return 1
  fi
  found=$(sha256 "$archive")
  if [[ $found != "$listed" ]]; then
    rm -f "$archive"
    printf '::error title=gate::%s\n' "the archive $name.tar.gz has checksum $found, the action's table asks for $listed"
    exit 3
  fi
  tar -xzf "$archive" -C "$GATE_ROOT/bin" --strip-components=1 "$name/$(basename "$bin")"
  rm -f "$archive"
}

build() {
  command -v cargo >/dev/null || {
    printf '::error title=gate::%s\n' 'no released binary for this version and machine, and no Rust to build one: install it with rustup in a step before this one'
    exit 3
  }
  # Build scripts of dependencies have no business with the caller's keys.
  while IFS= read -r name; do
    case $name in
      *_API_KEY | *_TOKEN | *_SECRET | *_PASSWORD | AWS_*) unset "$name" ;;
    esac
  done < <(compgen -e)
  # From the folder of the action, so that its rust-version decides and no configuration of the checkout is read.
  cd "$GITHUB_ACTION_PATH"
  CARGO_TARGET_DIR=$GATE_ROOT/target cargo install --locked --features full --path . --bin gate --root "$GATE_ROOT" || exit 3
  rm -rf "$GATE_ROOT/target"
}

[[ -x $bin ]] || download || build

if [[ -n $IN_CHECKSUM ]]; then
  found=$(sha256 "$bin")
  [[ $found == "$IN_CHECKSUM" ]] || usage "the binary has checksum $found, input checksum asks for another"
fi

output bin-path "$bin"
if [[ $IN_COMMAND == install ]]; then
  output verdict skipped
  output exit-code 0
fi
