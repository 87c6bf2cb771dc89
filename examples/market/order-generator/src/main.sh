# Writes events of made-up orders; the same seed gives the same events.
USAGE="[--count N] [--seed N]"
cli "$@"
count=$(option --count 10 "$@")
seed=$(option --seed "${ORDER_SEED:-1}" "$@")
number --count "$count"
number --seed "$seed"

market_awk '
    function next_random(limit) { state = (state * 16807) % 2147483647; return state % limit }
    BEGIN {
        state = seed + 1
        while ((getline name < names) > 0) prover[provers++] = name
        for (i = 1; i <= count; i++) {
            block += 1 + next_random(5)
            order = sprintf("order-%04d", i)
            amount = 1000 * (1 + next_random(5000))
            print block, "submitted", order, amount
            if (next_random(4) == 0) continue
            who = prover[next_random(provers)]
            print block + 1, "locked", order, who, block + 20
            if (next_random(3) > 0) print block + 9, "fulfilled", order, who, amount
        }
    }
' -v count="$count" -v seed="$seed" -v names="${NAMES:-/usr/share/market/names.txt}"
