#!/bin/sh
# A noisy quadratic bowl in POSIX shell and awk, as a child of cyclr (docs/protocol.md): the descriptors are CYCLR_FD=r,w, each
# line is a request, and each gets a line in answer. Everything but the last line is what any training in awk would be.
#
#   cyclr find --budget 12000 -- examples/quadratic.sh
#   cyclr compare --budget 240 --margin 0.01 -- examples/quadratic.sh

# shellcheck disable=SC2016  # awk has its own dollars
BOWL='
function field(name) {  # the number after "name": in the request
  return match($0, "\"" name "\": *[-+.0-9eE]+") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) + 0 : ""
}
function loss(  j, sum) { for (j = 0; j < 8; j++) sum += h[j] * w[j] * w[j]; return sum / 16 }
function metric() {
  value = loss()
  return sprintf("{\"name\":\"loss\",\"value\":%s,\"count\":50,\"direction\":\"lower\"}", value < 1e300 ? sprintf("%.17g", value) : "null")
}
function noise() { return rand() + rand() + rand() + rand() + rand() + rand() - 3 }
function update(lr,  j) {
  for (j = 0; j < 8; j++) { v[j] = 0.9 * v[j] + h[j] * w[j] + 0.4 * noise(); w[j] -= lr * v[j] }
}
/"initialize"/ {
  srand(field("seed") + 1)
  for (j = 0; j < 8; j++) { h[j] = 1 - 0.9 * j / 7; w[j] = 4 * noise(); v[j] = 0 }
  result = "{\"protocol\":1,\"examples\":1000,\"batch\":50,\"validation\":200,\"test\":200,\"momentum\":false,\"weight_decay\":false,\"snapshots\":false,\"given_weights\":false}"
}
/"updates"/ {
  id = field("id"); made = ""
  n = split($0, part, /"lr":/)
  for (k = 2; k <= n; k++) {
    made = made (k > 2 ? "," : "") "[" metric() "]"
    if (value >= 1e300 || value != value) break
    update(part[k] + 0)
  }
  result = "{\"metrics\":[" made "]}"
}
/"evaluate"/ { result = "{\"metrics\":[" metric() "]}" }
/"shutdown"/ { result = "{}" }
{
  printf "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}\n", field("id"), result
  fflush()
}
/"shutdown"/ { exit }
'
# mawk reads a pipe in blocks, and would wait for the next request before it answers this one.
interactive=$(awk -W interactive 'BEGIN { print "-W interactive" }' 2>/dev/null </dev/null)
eval "exec awk $interactive \"\$BOWL\" <&${CYCLR_FD%,*} >&${CYCLR_FD#*,}"
