#!/bin/sh
# Installs an Octopus agent on this machine:
#
#   curl -fsSL URL/install.sh | sh -s -- --token TOKEN
#
# It downloads the program from the server and checks its SHA-256, puts it into /usr/local/bin, and, where the
# machine runs systemd, starts a hardened service. Running it again updates the program.
#
#   --token TOKEN       join token, from "Add an agent"
#   --token-file FILE   the same, from a file
#   --server URL        another server than the one that this script came from
#   --name NAME         name of the agent instead of the host name
#   --label KEY=VALUE   label of the agent; may be repeated
#   --slots N           executions at a time
#   --ca-file FILE      further authorities to trust for the server (PEM)
#   --policy FILE       what this machine's owner allows
#   --transport MODE    auto, websocket or http: how the server is reached
#   --allow-scripts     let plugins that were granted it run scripts here, outside the sandbox, as the agent's user
#   --insecure          accept plain http to a server on another machine
#   --no-service        install the program only
#   --uninstall         remove service and program; the data stays
set -eu

server='@URL@'
token=''
token_file=''
insecure=''
service=yes
uninstall=''
extra='' # arguments of the agent, each quoted for the unit
plain='' # the same for a shell

say() { printf '%s\n' "$*"; }
fail() {
	printf 'install: %s\n' "$*" >&2
	exit 1
}
need() { command -v "$1" >/dev/null 2>&1; }

# add notes an argument of the agent. Quotes and line breaks would end up as something else than was meant.
add() {
	case $2 in *[\'\"\\%\$\`]* | *'
'*) fail "$1 must not have quotes, backslashes, dollar or percent signs." ;; esac
	extra="$extra $1 \"$2\""
	plain="$plain $1 '$2'"
}

while [ $# -gt 0 ]; do
	option=$1
	case $option in
	--insecure | --allow-scripts | --no-service | --uninstall) ;;
	--token | --token-file | --server | --name | --label | --slots | --ca-file | --policy | --transport)
		[ $# -ge 2 ] || fail "$option needs a value."
		value=$2
		shift
		;;
	--help | -h)
		say "Usage: sh install.sh --token TOKEN [--name NAME] [--label KEY=VALUE] [--slots N] [--transport auto|websocket|http] [--allow-scripts] [--insecure]"
		exit 0
		;;
	*) fail "$option is not an option. See --help." ;;
	esac
	shift
	case $option in
	--token) token=$value ;;
	--token-file) token_file=$value ;;
	--server) server=${value%/} ;;
	--insecure) insecure=yes ;;
	--allow-scripts)
		extra="$extra $option"
		plain="$plain $option"
		;;
	--transport)
		case $value in auto | websocket | http) ;; *) fail "--transport is auto, websocket or http." ;; esac
		add "$option" "$value"
		;;
	--no-service) service='' ;;
	--uninstall) uninstall=yes ;;
	*) add "$option" "$value" ;;
	esac
done

# as_root runs a command with the rights that installing needs.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}
[ "$(id -u)" -eq 0 ] || need sudo || fail "installing needs root. Log in as root, or install sudo."

bin=/usr/local/bin/octopus
unit=/etc/systemd/system/octopus-agent.service
config=/etc/octopus-agent

if [ "$uninstall" ]; then
	if [ -f "$unit" ]; then
		as_root systemctl disable --now octopus-agent || true
		as_root rm -f "$unit"
		as_root systemctl daemon-reload
	fi
	as_root rm -f "$bin" "$config/token"
	say "The agent is removed. Its data is still in /var/lib/octopus-agent."
	exit 0
fi

case $server in
https://*) ;;
http://localhost | http://localhost:* | http://127.* | http://\[::1\]*) ;;
http://*) [ "$insecure" ] || fail "plain http to $server could be read by anyone on the way. Use https, or add --insecure if you accept that." ;;
*) fail "$server is not a server's address. Pass --server https://octopus.example.com" ;;
esac
add --server "$server"
if [ "$insecure" ]; then
	extra="$extra --insecure"
	plain="$plain --insecure"
fi

case $(uname -s) in
Linux) os=linux ;;
Darwin) os=darwin ;;
*) fail "there is no agent for $(uname -s). On Windows use install.ps1." ;;
esac
case $(uname -m) in
x86_64 | amd64) arch=amd64 ;;
aarch64 | arm64) arch=arm64 ;;
*) fail "there is no agent for $(uname -m) processors." ;;
esac
name=octopus-$os-$arch

# fetch URL FILE
fetch() {
	if need curl; then
		curl -fsSL --retry 3 -o "$2" "$1"
	elif need wget; then
		wget -q -O "$2" "$1"
	else
		fail "neither curl nor wget is here to download with."
	fi
}

sum_of() {
	if need sha256sum; then
		sha256sum "$1" | cut -d ' ' -f 1
	elif need shasum; then
		shasum -a 256 "$1" | cut -d ' ' -f 1
	elif need openssl; then
		openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
	else
		fail "neither sha256sum, shasum nor openssl is here to check the download with."
	fi
}

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
trap 'exit 1' INT TERM

fetch "$server/dist/SHA256SUMS" "$temp/sums" || fail "$server/dist/SHA256SUMS cannot be downloaded. Is the server up, and does it serve agents?"
want=$(awk -v name="$name" '$2 == name || $2 == "*" name { print $1 }' "$temp/sums")
[ "$want" ] || fail "the server has no program for $os/$arch. On the server, run: make dist"

if [ -x "$bin" ] && [ "$(sum_of "$bin")" = "$want" ]; then
	say "$bin is up to date."
else
	say "Downloading $name from $server ..."
	fetch "$server/dist/$name" "$temp/octopus" || fail "$server/dist/$name cannot be downloaded."
	have=$(sum_of "$temp/octopus")
	[ "$have" = "$want" ] || fail "the download is damaged: its SHA-256 is $have, not $want. Nothing was installed."
	as_root mkdir -p /usr/local/bin
	as_root cp "$temp/octopus" "$bin.new"
	as_root chmod 0755 "$bin.new"
	as_root mv -f "$bin.new" "$bin"
	say "Installed $bin."
fi

# The token never appears in a list of processes: it goes through standard input into a file for root only.
if [ "$token" ] || [ "$token_file" ]; then
	as_root mkdir -p "$config"
	if [ "$token" ]; then
		printf '%s\n' "$token"
	else
		cat "$token_file"
	fi | as_root sh -c "umask 077 && cat >'$config/token.new' && mv -f '$config/token.new' '$config/token'"
elif [ ! -f "$config/token" ] && [ ! -e /var/lib/octopus-agent ]; then
	fail "a machine's first start needs a join token: add --token TOKEN, from \"Add an agent\" on $server."
fi

if [ -z "$service" ] || ! [ -d /run/systemd/system ]; then
	say ""
	say "This machine does not run systemd, or --no-service was given. Start the agent with:"
	as=''
	[ "$(id -u)" -eq 0 ] || as='sudo ' # the token is readable for root only
	say "  $as$bin agent$plain --token-file $config/token"
	exit 0
fi

cat >"$temp/unit" <<'UNIT'
@UNIT@
UNIT
# shellcheck disable=SC2016 # systemd expands the variable
printf 'ExecStart=%s agent%s --token-file ${CREDENTIALS_DIRECTORY}/token\n' "$bin" "$extra" >"$temp/exec"
awk -v file="$temp/exec" '/^ExecStart=/ { while ((getline line < file) > 0) print line; next } { print }' "$temp/unit" >"$temp/unit.done"
as_root cp "$temp/unit.done" "$unit"
as_root chmod 0644 "$unit"
as_root systemctl daemon-reload
as_root systemctl enable octopus-agent >/dev/null 2>&1 || fail "systemctl enable octopus-agent failed."
as_root systemctl restart octopus-agent || fail "the agent does not start. See: journalctl -u octopus-agent"
say "The agent runs, and starts with this machine."
say "  its log:     journalctl -u octopus-agent -f"
say "  on a page:   $server/agents"
