# One event a line: BLOCK KIND ORDER [PROVER] [AMOUNT | DEADLINE].
#   submitted ORDER AMOUNT     locked ORDER PROVER DEADLINE     fulfilled ORDER PROVER AMOUNT
function event_is_valid(    kind) {
    if (!is_number($1) || $3 == "") return 0
    kind = $2
    if (kind == "submitted") return NF == 4 && is_number($4)
    if (kind == "locked" || kind == "fulfilled") return NF == 5 && is_number($5)
    return 0
}
