#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The models known by name and the results of benchmarks are as their schemas
# want them, and the pages made of them are up to date.
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
passed=0 failed=0

check() {
	if "${@:2}"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $1"
	fi
}

# Planted mistakes, so that the checker is known to find some.
refused() {
	! scripts/check-json.py "$1" <(sed "$3" "$2") >/dev/null
}

# made PAGE NAME
made() {
	scripts/tables.py "$2" | diff "$1" - || {
		echo "scripts/tables.py $2 >$1 makes it again"
		return 1
	}
}

zoo=models/zoo.json
first=$(printf '%s\n' bench/results/*.json | head -n 1)
check "the models" scripts/check-json.py models/zoo.schema.json $zoo
check "names are said once" test -z "$(sed -n 's/.*"name": //p' $zoo | sort | uniq -d)"
check "a sum cut short is found" refused models/zoo.schema.json $zoo 's/\("sha256": ".*\)."/\1"/'
check "a key too many is found" refused models/zoo.schema.json $zoo 's/"licence"/"license"/'
check "the results" scripts/check-json.py bench/results.schema.json bench/results/*.json
check "a missing number is found" refused bench/results.schema.json "$first" 's/"ratio"/"ratios"/'
check "docs/models.md" made docs/models.md models
check "docs/leaderboard.md" made docs/leaderboard.md leaderboard
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
