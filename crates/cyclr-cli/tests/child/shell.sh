#!/bin/sh
# A child without a language: it answers from a table, and shows that a shell can.
IFS=, read -r r w <<END
$CYCLR_FD
END
eval "exec <&$r 5>&$w"
while read -r line; do
  id=${line#*\"id\":}
  id=${id%%,*}
  metric='{"name":"loss","value":1,"count":1,"direction":"lower"}'
  case $line in
    *'"initialize"'*) result='{"protocol":1,"examples":10,"batch":1,"validation":1,"test":0,"momentum":false,"weight_decay":false,"snapshots":false,"given_weights":false}' ;;
    *'"updates"'*)
      rates=$(printf %s "$line" | tr -cd '{' | wc -c)
      result="{\"metrics\":[[$metric]"
      while [ "$rates" -gt 3 ]; do
        result="$result,[$metric]"
        rates=$((rates - 1))
      done
      result="$result]}" ;;
    *'"evaluate"'*) result="{\"metrics\":[$metric]}" ;;
    *) result='{}' ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result" >&5
done
