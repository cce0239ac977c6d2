# Runs a program for a test process and leaves nothing behind.
#
# usage: guard.sh FOLDER SIGNAL PROGRAM [ARGUMENT...]
#
# Standard input is the lifeline: the test process holds its other end and never writes. When that end closes,
# because the test is done or because its process died in whatever way, the program gets SIGNAL, whatever is left
# of its session after five seconds is killed, and FOLDER is removed.
folder=$1 signal=$2
shift 2
exec 3<&0

# A session of its own, so that the program's children can be found even when their parent has gone.
setsid -- "$@" </dev/null 3<&- &
program=$!
echo "$program" >"$folder/process.new" && mv "$folder/process.new" "$folder/process"

# Prints the ids of the living processes of the program's session.
remaining() {
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null <"$stat" || continue
    process=${stat#/proc/}
    # The name in parentheses may hold anything; state, parent, group and session follow it.
    set -- ${line##*) }
    if [ "$4" = "$program" ] && [ "$1" != Z ]; then echo "${process%/stat}"; fi
  done
}

stop() {
  kill "-$signal" "$program"
  rounds=0
  while kill -0 "$program" && [ "$rounds" -lt 250 ]; do
    sleep 0.02
    rounds=$((rounds + 1))
  done
  while left=$(remaining); [ -n "$left" ]; do
    kill -KILL $left
    sleep 0.02
  done
}

{ cat <&3 >/dev/null; stop 2>/dev/null; } &
lifeline=$!
exec 3<&-
wait "$program"
echo "$?" >"$folder/status.new" && mv "$folder/status.new" "$folder/status"
wait "$lifeline"
cd /
rm -rf -- "$folder" 2>/dev/null || { sleep 0.2; rm -rf -- "$folder"; }
