#!/usr/bin/env bash
# Ends the action as `fail-on` asks. Its own step, so that every output is set by then.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

code=$GATE_EXIT_CODE
name=$(exit_name "$code")
case $name in
  ok) exit 0 ;;
  gate_failed | usage | infra | inconclusive)
    if [[ $name == inconclusive && $GATE_LENIENT == true ]]; then
      echo "gate: $name (exit $code): does not fail this step, as a pull request from a fork has no key"
      exit 0
    fi
    if [[ ,${IN_FAIL_ON// /}, != *",$name,"* ]]; then
      echo "gate: $name (exit $code): does not fail this step, as fail-on does not list it"
      exit 0
    fi
    ;;
esac
echo "gate: $name (exit $code)"
exit "$code"
