package api

import (
	"context"
	"slices"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/catalog"
)

// checkScript runs nothing that anybody could notice: host calls get the answers of the test cases.
func (a *API) checkScript(ctx context.Context, in *struct{ Body sdk.CheckScript }) (*one[sdk.ScriptReport], error) {
	script := catalog.Script{Source: in.Body.Script.Script, Manifest: in.Body.Manifest}
	var faults []catalog.Fault
	var checks []octopus.Check
	var err error
	if in.Body.Test {
		faults, checks, err = a.catalog.TestScript(ctx, script)
	} else {
		faults, err = a.catalog.CheckScript(ctx, script)
	}
	if err != nil {
		return nil, err
	}
	out := sdk.ScriptReport{Faults: []sdk.ScriptFault{}, Checks: []sdk.Check{}}
	for _, f := range faults {
		out.Faults = append(out.Faults, sdk.ScriptFault{File: f.File, Line: f.Line, Path: f.Path, Message: f.Message})
	}
	for _, c := range checks {
		out.Checks = append(out.Checks, sdk.Check{Name: c.Name, Status: string(c.Status), Message: c.Message, TookMS: c.TookMS})
	}
	failed := func(c octopus.Check) bool { return c.Status == octopus.CheckFailed }
	out.OK = len(faults) == 0 && !slices.ContainsFunc(checks, failed)
	return &one[sdk.ScriptReport]{Body: out}, nil
}

// submitScript is submitPlugin for what nobody packed yet.
func (a *API) submitScript(ctx context.Context, in *struct{ Body sdk.NewScriptSubmission }) (*created[sdk.Submission], error) {
	caller, _ := auth.FromContext(ctx)
	module, err := catalog.Script{Source: in.Body.Script.Script, Manifest: in.Body.Manifest}.Pack()
	if err != nil {
		return nil, err
	}
	before := a.now()
	s, err := a.catalog.Submit(ctx, module, in.Body.Note, caller.Username)
	if err != nil {
		return nil, err
	}
	out, err := a.compared(ctx, s)
	if err != nil {
		return nil, err
	}
	return made(Prefix+"/submissions/"+s.ID, s.CreatedAt.Before(before.Truncate(1000)), out), nil
}
