# Counts the deals that were won at Harbor. What is written to stderr is the run's log; what is written to stdout is
# the state that the next run gets back.

say() { printf '%s\n' "$*" >&2; }

say "$PAN_CTX_RUN_MODE run of $PAN_CTX_INTEGRATION_NAME for $PAN_CTX_TENANT_NAME"
say "Harbor's access token, fresh for this run: $PAN_SEC_HARBOR_ACCESS_TOKEN"

won=$(printf '%s' "$PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT" | sed -n 's/.*"deals_won": *\([0-9]*\).*/\1/p')
last=$(printf '%s' "$PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT" | sed -n 's/.*"last_deal": *"\([^"]*\)".*/\1/p')
won=${won:-0}

for file in $(printf '%s' "$PAN_CTX_RUN_TRIGGERS" | tr ',' '\n' | sed -n 's/.*"file": *"\([^"]*\)".*/\1/p'); do
  deal=$(sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' "$file")
  [ -n "$deal" ] || continue
  won=$((won + 1))
  last=$deal
  say "A deal was won: $deal"
done

say "$won won so far"
printf '{"deals_won": %s, "last_deal": "%s"}\n' "$won" "$last"
