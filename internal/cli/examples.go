package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// giveExamples puts the examples below into the help of their commands.
func giveExamples(c *cobra.Command) {
	path := strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
	if lines := examples[path]; len(lines) > 0 {
		c.Example = "  " + strings.Join(lines, "\n  ")
	}
	for _, child := range c.Commands() {
		giveExamples(child)
	}
}

// examples are what one would type, by command; every command that does something has one. A test parses each.
var examples = map[string][]string{
	"dev":                {"octopus dev", "octopus dev --listen 127.0.0.1:9000 --data /tmp/try"},
	"server":             {"octopus server --listen :8443 --tls-cert cert.pem --tls-key key.pem --public-url https://octopus.example.com:8443", "octopus server --database postgres://octopus@db/octopus --config /etc/octopus.yaml"},
	"agent":              {"octopus agent --server https://octopus.example.com --token join_… --label env=prod"},
	"agent check":        {"octopus agent check --server https://octopus.example.com"},
	"agent install":      {"octopus agent install --server https://octopus.example.com --token-file /etc/octopus-agent/token"},
	"agent status":       {"octopus agent status", "octopus agent status --data ./agent-data -o json"},
	"agent trust":        {"octopus agent trust --data /var/lib/octopus-agent"},
	"agent uninstall":    {"octopus agent uninstall"},
	"config check":       {"octopus config check --config /etc/octopus.yaml --profile prod"},
	"config check agent": {"octopus config check agent --config /etc/octopus.yaml"},
	"config check dev":   {"octopus config check dev --listen :9000"},
	"config check server": {
		"octopus config check server --config /etc/octopus.yaml",
	},
	"config show":        {"octopus config show --config /etc/octopus.yaml"},
	"config show agent":  {"octopus config show agent --config /etc/octopus.yaml"},
	"config show dev":    {"octopus config show dev"},
	"config show server": {"octopus config show server --profile prod -o json"},

	"run": {
		"octopus run http-check --param url=https://example.com --follow",
		"octopus run notify slack --param channel='#ops' --param text=hello",
		"octopus run disk-usage --target all --selector env=prod -o json",
		`echo '{"message": "hello"}' | octopus run echo --params -`,
	},
	"logs":         {"octopus logs run_01m82vb1sw7ars9bvt3pk9fgy3 --follow", "octopus logs exe_01m82vb1sxbjr2pzznvcz4h2f5"},
	"open":         {"octopus open"},
	"login":        {"octopus login https://octopus.example.com", "octopus login https://octopus.example.com --name work < token.txt"},
	"context list": {"octopus context list"},
	"context use":  {"octopus context use octopus.example.com"},
	"version":      {"octopus version", "octopus version -o json"},
	"bootstrap":    {"octopus bootstrap --data /var/lib/octopus --admin ada"},
	"backup": {
		"octopus backup /mnt/safe/octopus-monday.db",
		"octopus backup --data /var/lib/octopus /mnt/safe/octopus-monday.db",
	},
	"restore": {
		"octopus restore /mnt/safe/octopus-monday.db --data /var/lib/octopus",
		"octopus restore --in-place --made-at 2026-11-22T08:00:00Z --database postgres://octopus@db/octopus",
	},
	"backups list":     {"octopus backups list"},
	"backups get":      {"octopus backups get octopus-20261122T080000.000Z.db"},
	"backups download": {"octopus backups download octopus-20261122T080000.000Z.db /mnt/safe/octopus-monday.db"},
	"backups remove":   {"octopus backups remove octopus-20261122T080000.000Z.db"},
	"bench agents":     {"octopus bench agents --own --tls -n 10000", "octopus bench agents --own -n 1000 --down 5s --work 200"},
	"bench executions": {"octopus bench executions --own --slots 8 -c 64"},
	"bench fill":       {"octopus bench fill -n 1000000 --data /tmp/full"},
	"bench lists":      {"octopus bench lists"},
	"bench viewers":    {"octopus bench viewers -n 1000"},

	"tasks list": {"octopus tasks list --plugin http-check", "octopus tasks list --selector team=web --text certificate"},
	"tasks get":  {"octopus tasks get home-page", "octopus tasks get home-page -o yaml"},
	"tasks create": {
		"octopus tasks create home-page --plugin http-check --param url=https://example.com --selector env=prod",
		"octopus tasks create clean-up --plugin exec --param command=clean --agent web-01 --timeout 5m",
	},
	"tasks edit":    {"octopus tasks edit home-page --param url=https://example.com/health --timeout 10s"},
	"tasks run":     {"octopus tasks run home-page", "octopus tasks run home-page --param url=https://example.com/new --follow"},
	"tasks enable":  {"octopus tasks enable home-page"},
	"tasks disable": {"octopus tasks disable home-page"},
	"tasks delete":  {"octopus tasks delete home-page clean-up"},
	"tasks restore": {"octopus tasks restore home-page"},

	"runs list":   {"octopus runs list --status failed --since 24h"},
	"runs get":    {"octopus runs get run_01m82vb1sw7ars9bvt3pk9fgy3"},
	"runs wait":   {"octopus runs wait run_01m82vb1sw7ars9bvt3pk9fgy3 --timeout 5m"},
	"runs cancel": {"octopus runs cancel run_01m82vb1sw7ars9bvt3pk9fgy3"},
	"runs close":  {"octopus runs close run_01m82vb1sw7ars9bvt3pk9fgy3"},
	"runs retry":  {"octopus runs retry run_01m82vb1sw7ars9bvt3pk9fgy3 --only failed"},

	"executions list":      {"octopus executions list --status lost,timed_out --since 7d", "octopus executions list --run run_01m82vb1sw7ars9bvt3pk9fgy3"},
	"executions get":       {"octopus executions get exe_01m82vb1sxbjr2pzznvcz4h2f5"},
	"executions logs":      {"octopus executions logs exe_01m82vb1sxbjr2pzznvcz4h2f5 --follow"},
	"executions explain":   {"octopus executions explain exe_01m82vb1sxbjr2pzznvcz4h2f5"},
	"executions artifacts": {"octopus executions artifacts exe_01m82vb1sxbjr2pzznvcz4h2f5"},
	"executions download": {
		"octopus executions download exe_01m82vb1sxbjr2pzznvcz4h2f5 --format csv --file result.csv",
		"octopus executions download exe_01m82vb1sxbjr2pzznvcz4h2f5 --artifact report.html --file report.html",
	},
	"executions cancel": {"octopus executions cancel exe_01m82vb1sxbjr2pzznvcz4h2f5"},
	"executions close":  {"octopus executions close exe_01m82vb1sxbjr2pzznvcz4h2f5"},
	"executions retry":  {"octopus executions retry exe_01m82vb1sxbjr2pzznvcz4h2f5 --follow"},

	"agents list":          {"octopus agents list", "octopus agents list --status online --selector env=prod,os=linux"},
	"agents get":           {"octopus agents get web-01"},
	"agents enable":        {"octopus agents enable web-01"},
	"agents disable":       {"octopus agents disable web-01 web-02"},
	"agents drain":         {"octopus agents drain web-01"},
	"agents undrain":       {"octopus agents undrain web-01"},
	"agents restart":       {"octopus agents restart web-01 web-02"},
	"agents revoke":        {"octopus agents revoke web-01"},
	"agents rename":        {"octopus agents rename ip-10-0-0-7 web-01"},
	"agents remove":        {"octopus agents remove web-01"},
	"agents tokens list":   {"octopus agents tokens list"},
	"agents tokens create": {"octopus agents tokens create --uses 20 --ttl 2h --label env=prod"},
	"agents tokens revoke": {"octopus agents tokens revoke tok_01m82vbhpebydejk9ssczh3tk0"},

	"users list":     {"octopus users list"},
	"users get":      {"octopus users get ada"},
	"users create":   {"octopus users create ada --role operator --display-name 'Ada Lovelace'", "octopus users create ada --role viewer < password.txt"},
	"users edit":     {"octopus users edit ada --role admin", "octopus users edit ada --active=false"},
	"users password": {"octopus users password ada"},
	"users delete":   {"octopus users delete ada"},

	"tokens list":   {"octopus tokens list"},
	"tokens create": {"octopus tokens create --name ci --role user --ttl 720h"},
	"tokens revoke": {"octopus tokens revoke tok_01m82vbhpebydejk9ssczh3tk0"},

	"secrets list":       {"octopus secrets list"},
	"secrets set":        {"octopus secrets set api_token", "octopus secrets set deploy_key < id_ed25519"},
	"secrets remove":     {"octopus secrets remove api_token"},
	"secrets rotate-key": {"octopus secrets rotate-key"},

	"params list": {"octopus params list"},
	"params set": {
		"octopus params set preferences --param timezone=Europe/Berlin",
		`octopus params set notifications --params '{"email": {"weekly": true}}'`,
	},
	"params remove": {"octopus params remove preferences"},

	"cache list":  {"octopus cache list"},
	"cache get":   {"octopus cache get broadcast"},
	"cache clear": {"octopus cache clear plugins", "octopus cache clear broadcast maintenance"},

	"plugins list":    {"octopus plugins list"},
	"plugins get":     {"octopus plugins get http-check"},
	"plugins config":  {"octopus plugins config hello", "octopus plugins config hello --set region=eu"},
	"plugins upload":  {"octopus plugins upload hello/hello.wasm", "octopus plugins upload hello/hello.wasm --ring canary"},
	"plugins enable":  {"octopus plugins enable http-check notify", "octopus plugins enable hello@1.0.0 hello@1.1.0"},
	"plugins disable": {"octopus plugins disable http-check notify", "octopus plugins disable hello@1.0.0 hello@1.1.0"},
	"plugins grant": {
		"octopus plugins grant hello",
		"octopus plugins grant notify --secret api_token=slack-token",
		`octopus plugins grant http-check --capabilities '{"http": {"hosts": ["*.example.com"]}}'`,
	},
	"plugins revoke": {"octopus plugins revoke hello"},
	"plugins grants": {"octopus plugins grants --capability http --state in_force"},
	"plugins agents": {"octopus plugins agents hello --version 1.0.0"},

	"plugins submit":         {"octopus plugins submit hello/hello.wasm --note 'Asks for the key-value store to count greetings.'", "octopus plugins submit ./hello"},
	"plugins submissions":    {"octopus plugins submissions --status in_review"},
	"plugins review":         {"octopus plugins review sub_01m82vbhpebydejk9ssczh3tk0"},
	"plugins approve":        {"octopus plugins approve sub_01m82vbhpebydejk9ssczh3tk0 --grant --ring early"},
	"plugins reject":         {"octopus plugins reject sub_01m82vbhpebydejk9ssczh3tk0 --comment 'Ask for one host, not for all.'"},
	"plugins withdraw":       {"octopus plugins withdraw sub_01m82vbhpebydejk9ssczh3tk0"},
	"plugins deprecate":      {"octopus plugins deprecate hello 1.0.0"},
	"plugins revoke-version": {"octopus plugins revoke-version hello 1.0.0"},
	"plugins history":        {"octopus plugins history hello"},
	"plugins rescan":         {"octopus plugins rescan"},
	"plugins keys":           {"octopus plugins keys"},
	"plugins keys rotate":    {"octopus plugins keys rotate"},
	"plugins keys retire":    {"octopus plugins keys retire 1f3a5c7e9b0d2f46"},

	"plugins rings":    {"octopus plugins rings hello", "octopus plugins rings hello --plugin-version ^1.2"},
	"plugins ring":     {"octopus plugins ring hello 1.1.0 early"},
	"plugins rollback": {"octopus plugins rollback hello", "octopus plugins rollback hello --to 1.0.0"},
	"plugins hold":     {"octopus plugins hold hello 1.1.0"},
	"plugins resume":   {"octopus plugins resume hello 1.1.0"},

	"plugins new":     {"octopus plugins new hello", "octopus plugins new --lang js hello", "octopus plugins build hello"},
	"plugins build":   {"octopus plugins build hello", "octopus plugins test hello/hello.wasm"},
	"plugins dev":     {"octopus plugins dev hello --param name=Ada --allow-all", "octopus plugins dev hello --param name=Ada --publish"},
	"plugins inspect": {"octopus plugins inspect hello.wasm", "octopus plugins inspect hello.wasm -o json"},
	"plugins pack":    {"octopus plugins pack ./hello", "octopus plugins pack hello.wasm --manifest plugin.yaml --out hello-1.0.0.wasm"},
	"plugins run": {
		"octopus plugins run hello.wasm --action greet --param name=Ada",
		`octopus plugins run check.wasm --params '{"url": "https://example.com"}' --allow-http example.com`,
		"octopus plugins run hello.wasm --param name=Ada --allow-all --record calls.jsonl",
	},
	"plugins test": {"octopus plugins test hello.wasm"},
}
