# shellcheck shell=bash
# Shared by the steps of action.yml. Nothing here decides: the binary does, and says so by its exit code.
# Runners with macOS bring bash 3.2: no mapfile, no associative arrays, no empty array under `set -u`.

# A workflow command's text: one line, without the characters that would end it or begin another command.
escaped() {
  local text=$1
  text=${text//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '%s' "${text//$'\n'/%0A}"
}

note() { printf '::notice title=gate::%s\n' "$(escaped "$1")"; }
warn() { printf '::warning title=gate::%s\n' "$(escaped "$1")"; }

# The caller's mistake: exit code 2, as the binary's own.
usage() {
  output verdict error
  output exit-code 2
  printf '::error title=gate::%s\n' "$(escaped "$1")"
  printf 'gate: usage: %s\n' "$(escaped "$1")" >&2
  exit 2
}

# output NAME VALUE: our own fixed names and one-line values only.
output() { printf '%s=%s\n' "$1" "${2//[$'\r\n']/ }" >>"$GITHUB_OUTPUT"; }

# Whether any provider key is in the environment: a non-empty variable that ends in _API_KEY, or Bedrock's.
has_key() {
  local name
  while IFS= read -r name; do
    if [[ ($name == *_API_KEY || $name == AWS_BEARER_TOKEN_BEDROCK) && -n ${!name} ]]; then
      return 0
    fi
  done < <(compgen -e)
  return 1
}

# The name of an exit code, as in the table of exit codes.
exit_name() {
  case $1 in
    0) echo ok ;;
    1) echo gate_failed ;;
    2) echo usage ;;
    3) echo infra ;;
    4) echo inconclusive ;;
    130 | 143) echo interrupted ;;
    *) echo crash ;;
  esac
}

# one_of NAME VALUE WORD...: the value of a closed input.
one_of() {
  local name=$1 value=$2 word
  shift 2
  for word in "$@"; do
    [[ $value == "$word" ]] && return 0
  done
  usage "input $name must be one of: $*"
}
