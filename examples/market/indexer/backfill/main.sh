# Runs the market indexer once for each range of blocks.
USAGE="[--step BLOCKS] <events"
cli "$@"
step=$(option --step 100 "$@")
number --step "$step"
[ "$step" -gt 0 ] || fail "--step needs at least 1"

events=$(cat)
last=$(printf '%s\n' "$events" | market_awk 'event_is_valid() && $1 > last { last = $1 } END { print last + 0 }')
from=0
while [ "$from" -le "$last" ]; do
    echo "blocks $from to $((from + step - 1))"
    printf '%s\n' "$events" | market_awk '$1 >= from && $1 < from + step' -v from="$from" -v step="$step" |
        indexer-market | sed 's/^/  /'
    from=$((from + step))
done
