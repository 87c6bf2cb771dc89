# Splits an amount by shares, so that the parts sum to the amount: the largest remainders are rounded up.
USAGE="--amount N <shares, one a line: WHO WEIGHT"
cli "$@"
amount=$(option --amount '' "$@")
number --amount "$amount"

market_awk '
    NF == 2 && is_number($2) { who[++count] = $1; weight[count] = $2; total += $2 }
    END {
        if (total == 0) exit
        left = amount
        for (i = 1; i <= count; i++) {
            part[i] = int(amount * weight[i] / total)
            rest[i] = (amount * weight[i]) % total
            left -= part[i]
        }
        while (left-- > 0) {
            best = 1
            for (i = 2; i <= count; i++) if (rest[i] > rest[best]) best = i
            part[best]++
            rest[best] = -1
        }
        for (i = 1; i <= count; i++) print who[i], part[i]
    }
' -v amount="$amount"
