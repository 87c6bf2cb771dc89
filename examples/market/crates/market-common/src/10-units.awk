# Amounts are whole numbers of the smallest unit; a unit of the market is a million of them.
function units(amount) {
    return sprintf("%d.%06d", int(amount / 1000000), amount % 1000000)
}

function is_number(text) {
    return text ~ /^[0-9]+$/
}
