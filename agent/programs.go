package agent

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"octopus/agent/broker"
	"octopus/internal/disk"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// dirScripts is where scripts get folders of their own while they run.
const dirScripts = "scripts"

// openScripts makes the folder of scripts, empty, where the owner allows them. What an agent that crashed left there
// goes.
func (a *Agent) openScripts() error {
	if err := disk.RemoveAll(disk.Root(a.folder.root), dirScripts); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if !a.config.AllowScripts {
		return nil
	}
	if err := a.folder.root.MkdirAll(dirScripts, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	a.scripts = &broker.Scripts{Dir: filepath.Join(a.folder.path, dirScripts)}
	return nil
}

// private is the data folder by its real name: no plugin reads or writes there.
func (a *Agent) private() string {
	if real, err := filepath.EvalSymlinks(a.folder.path); err == nil {
		return real
	}
	return a.folder.path
}

// programsRefusal says why what an offer would run outside the sandbox may not run here; "" when it may. A plugin that
// needs commands needs at least one that the owner named.
func (a *Agent) programsRefusal(o *wire.Offer) string {
	var grant spec.Capabilities
	if len(o.Grant) == 0 || json.Unmarshal(o.Grant, &grant) != nil {
		return "" // what cannot be read fails where it is used
	}
	if grant.Script != nil {
		if a.scripts == nil {
			return broker.ScriptsOff
		}
		if !slices.ContainsFunc(grant.Script.Interpreters, func(name string) bool { return name == "*" || a.policy.Interpreter(name) }) {
			return "The owner of this agent allows no script of " + o.Plugin + "'s interpreters. It is set in the agent's policy file."
		}
	}
	if len(grant.Exec) == 0 {
		return ""
	}
	named := a.policy.Commands()
	var wants []string
	for _, e := range grant.Exec {
		if slices.Contains(named, e.Name) || e.Name == "*" && len(named) > 0 {
			return ""
		}
		wants = append(wants, e.Name)
	}
	if slices.Contains(wants, "*") {
		return "The owner of this agent names no command. A policy file does, under capabilities.exec (octopus agent --policy FILE)."
	}
	return fmt.Sprintf("The owner of this agent does not allow %s. A policy file names commands under capabilities.exec (octopus agent --policy FILE).",
		strings.Join(wants, ", "))
}
