package cli

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/agent"
	"octopus/internal/octopus"
	"octopus/internal/version"
)

// agentCheck is `octopus agent check`.
func (a *app) agentCheck() *cobra.Command {
	cfg := agent.Defaults()
	cmd := &cobra.Command{
		Use:   "check",
		Short: "What the sandbox here is made of, and the way to the server, step by step",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Version = version.Version
			if err := agent.Check(cmd.Context(), cfg, a.Out); err != nil {
				return exitError{code: cmp.Or(exitOfAgent(err), ExitUnreachable), err: err}
			}
			return nil
		},
	}
	a.bind(cmd, &cfg, "base", nil, connection()...)
	return cmd
}

// exitOfAgent is 3 where the server answered but refused, else 0.
func exitOfAgent(err error) int {
	if code := exitCode(err); code == ExitDenied || code == ExitInterrupted || code == ExitUsage {
		return code
	}
	return 0
}

// agentStatus is `octopus agent status`.
func (a *app) agentStatus() *cobra.Command {
	cfg := agent.Defaults()
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What the agent on this machine is, may do and runs",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			report, err := agent.Status(cfg.Data)
			if err != nil {
				return err
			}
			if err := a.print(report, func(t *tabwriter.Writer) { reportTable(t, report) }); err != nil {
				return err
			}
			if !report.Running || !report.Connected {
				return exitError{code: ExitFailed}
			}
			return nil
		},
	}
	a.bind(cmd, &cfg, "base", nil, "agent.data")
	return cmd
}

func reportTable(t *tabwriter.Writer, r agent.Report) {
	state := "not running"
	if r.Running {
		state = fmt.Sprintf("running, process %d", r.PID)
	}
	connection := "not connected"
	by := octopus.Facts{Transport: r.Transport, TransportReason: r.TransportReason}.Connection()
	if r.Connected {
		connection = strings.TrimSpace("connected by " + by)
	}
	if !r.Since.IsZero() {
		connection += ", since " + r.Since.Local().Format(time.DateTime)
	}
	if r.LastError != "" {
		connection += ": " + r.LastError
	}
	row(t, "Agent", dash(strings.TrimSpace(r.Name+" "+r.Agent)))
	row(t, "State", state)
	row(t, "Server", dash(r.Server))
	row(t, "Connection", connection)
	row(t, "Version", dash(r.Version))
	row(t, "Slots", fmt.Sprintf("%d of %d free", r.Free, r.Slots))
	row(t, "Sandbox", dash(r.Sandbox))
	for _, layer := range append(r.SandboxMissing, r.SandboxWithout...) {
		row(t, "", "without "+layer)
	}
	row(t, "Policy", cmp.Or(r.PolicyFile, "none: what was granted is allowed, except exec and files"))
	row(t, "Commands", cmp.Or(strings.Join(r.Commands, ", "), "none"))
	row(t, "Scripts", scriptsWord(r.Scripts))
	if r.PendingSend > 0 {
		row(t, "Results", fmt.Sprintf("%d wait for the server", r.PendingSend))
	}
	if r.Preparing > 0 {
		row(t, "Plugins", fmt.Sprintf("%d prepared ahead, %d to come", r.Prepared, r.Preparing))
	}
	for _, x := range r.Executions {
		row(t, "Runs", fmt.Sprintf("%s %s %s, %s since %s", x.Execution, x.Plugin, x.Action, x.Phase, x.Since.Local().Format(time.TimeOnly)))
	}
	if r.Policy != "" {
		row(t, "")
		for line := range strings.Lines(r.Policy) {
			row(t, "  "+strings.TrimRight(line, "\r\n"))
		}
	}
}

func scriptsWord(allowed bool) string {
	if allowed {
		return "allowed, outside the sandbox"
	}
	return "refused; --allow-scripts allows them"
}

// agentInstall is `octopus agent install`.
func (a *app) agentInstall() *cobra.Command {
	cfg := agent.Defaults()
	var c agent.ServiceConfig
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Have the agent start with this machine (systemd or a Windows service)",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			c.Server, c.Data, c.CAFile, c.Insecure = cfg.Server, cfg.Data, cfg.CAFile, cfg.Insecure
			c.TokenFile, c.Policy, c.AllowScripts = cfg.TokenFile, cfg.Policy, cfg.AllowScripts
			if c.Transport = cfg.Transport; c.Transport == agent.Defaults().Transport {
				c.Transport = ""
			}
			return agent.InstallService(c, a.Err)
		},
	}
	cmd.Flags().StringVar(&c.Name, "service", "octopus-agent", "name of the service")
	a.bind(cmd, &cfg, "base", nil, append(connection(), "agent.token_file", "agent.policy", "agent.allow_scripts")...)
	return cmd
}

// agentUninstall is `octopus agent uninstall`.
func (a *app) agentUninstall() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop and remove the agent's service; its data stays",
		Args:  exactly(),
		RunE:  func(*cobra.Command, []string) error { return agent.UninstallService(name, a.Err) },
	}
	cmd.Flags().StringVar(&name, "service", "octopus-agent", "name of the service")
	return cmd
}
