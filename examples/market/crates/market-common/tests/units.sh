# The library shows amounts with six digits after the point.
set -eu
found=$(awk "$(cat "$1/market.awk")"' BEGIN { print units(1500000), units(7) }')
[ "$found" = "1.500000 0.000007" ] || { echo "units: $found" >&2; exit 1; }
