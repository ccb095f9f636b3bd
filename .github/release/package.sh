#!/usr/bin/env bash
# package.sh BINARY MANUAL NAME FOLDER: packs a binary with its man pages, completions, licences and change log into
# FOLDER/NAME.tar.gz, in the same order, owner and time each time, so that equal input gives an equal archive.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

binary=$1 manual=$2 name=$3 folder=$4
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
mkdir -p "$staged/$name" "$folder"
cp "$binary" "$staged/$name/"
cp -R "$manual/man" "$manual/completions" "$staged/$name/"
cp README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$staged/$name/"

# GNU and BSD tar differ in their flags for a stable archive; Python is on every runner and has neither's.
python3 - "$staged" "$name" "$folder/$name.tar.gz" <<'PYTHON'
import gzip
import pathlib
import sys
import tarfile

root, name, archive = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def plain(info):
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    is_program = info.isfile() and pathlib.PurePosixPath(info.name).stem == "gate" and info.name.count("/") == 1
    info.mode = 0o755 if info.isdir() or is_program else 0o644
    return info


with open(archive, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(root / name, name, recursive=False, filter=plain)
        for path in sorted((root / name).rglob("*")):
            tar.add(path, f"{name}/{path.relative_to(root / name).as_posix()}", recursive=False, filter=plain)
PYTHON
