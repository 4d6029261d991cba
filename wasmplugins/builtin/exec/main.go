// Command exec runs a command that the owner of the agent named in the policy file, outside the sandbox.
package main

import (
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/program"
)

var actions = plugin.Actions{"run": plugin.Action(run)}

func main() { plugin.Main(actions) }

type params struct {
	Command        string   `json:"command"`
	Args           []string `json:"args"`
	Stdin          string   `json:"stdin"`
	TimeoutSeconds float64  `json:"timeout_seconds"`
	OKCodes        []int    `json:"ok_codes"`
}

type request struct {
	Name           string   `json:"name"`
	Args           []string `json:"args,omitempty"`
	Stdin          string   `json:"stdin,omitempty"`
	TimeoutSeconds float64  `json:"timeout_seconds,omitempty"`
}

func run(ctx *plugin.Context, p params) plugin.Response {
	ctx.Log("running the command %s", strings.Join(append([]string{p.Command}, p.Args...), " "))
	return program.Run(ctx, "exec.run", "the command "+p.Command, request{p.Command, p.Args, p.Stdin, p.TimeoutSeconds}, p.OKCodes)
}
