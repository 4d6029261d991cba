package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
	"octopus/wasmplugins"
)

// devLoop is `octopus plugins dev`: build, test and run a plugin at every change of its folder.
type devLoop struct {
	dir     string
	run     localRun
	publish bool
	client  *sdk.Client // with publish
}

// runs says whether the plugin is to be run, beyond its test cases.
func (d devLoop) runs() bool { return d.run.params.given() || d.run.action != "" }

func (a *app) pluginDev() *cobra.Command {
	var d devLoop
	c := &cobra.Command{
		Use:   "dev [FOLDER]",
		Short: "Build, test and run a plugin whenever its files change",
		Long: `Watch FOLDER (default: this one). At every change the plugin is built and its test cases are run; with --param or
--params it is run too, in the sandbox on this machine, with the same parameters each time.

With --publish it goes to the server instead, as version 1.2.0-dev.1, 1.2.0-dev.2 and so on of a plugin whose plugin.yaml
says 1.2.0, is granted what it asks for, and is run there. Ranges such as ^1.2 never match such versions. That needs
an administrator who may publish without another's review, as in octopus dev.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactly("FOLDER")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d.dir = cmp.Or(strings.Join(args, ""), ".")
			return a.devPlugin(cmd.Context(), d)
		},
	}
	f := c.Flags()
	f.StringVar(&d.run.action, "action", "", "action to run (default: the only one)")
	d.run.params.register(f)
	f.BoolVar(&d.run.allowAll, "allow-all", false, "allow all that the manifest asks for, on this machine")
	f.BoolVar(&d.publish, "publish", false, "publish, grant and run on the server")
	return c
}

func (a *app) devPlugin(ctx context.Context, d devLoop) error {
	if err := checkFolder(d.dir); err != nil {
		return err
	}
	if d.run.params.whole == "-" {
		return usagef("--params cannot be standard input here: it is needed at every change. Take a file: --params @file.")
	}
	if d.publish {
		var err error
		if d.client, err = a.client(); err != nil {
			return err
		}
		defer d.client.Close()
	}
	w, err := watchFolder(d.dir)
	if err != nil {
		return err
	}
	defer w.close()
	for {
		a.devTurn(ctx, d)
		fmt.Fprintf(a.Err, "Watching %s. Ctrl-C ends it.\n", d.dir)
		if err := w.wait(ctx); err != nil {
			return err
		}
		fmt.Fprintln(a.Err, "\nChanged.")
	}
}

// devTurn builds, tests and runs; what goes wrong is said, and the next change is waited for.
func (a *app) devTurn(ctx context.Context, d devLoop) {
	began := time.Now()
	report, err := a.buildFolder(ctx, d.dir)
	if err == nil {
		fmt.Fprintf(a.Err, "Built %s in %s.\n", report.File, time.Since(began).Round(time.Millisecond))
		err = a.tryModule(ctx, d, report.File)
	}
	var said exitError
	if err != nil && ctx.Err() == nil && (!errors.As(err, &said) || said.err != nil) {
		fmt.Fprintf(a.Err, "octopus: %v\n", err)
	}
}

// tryModule tests a module and, if it passes, runs it.
func (a *app) tryModule(ctx context.Context, d devLoop, file string) error {
	m, err := readModule(file)
	if err != nil {
		return err
	}
	if err := a.testModule(ctx, m); err != nil {
		return err
	}
	switch {
	case d.publish:
		return a.publishDev(ctx, d, m)
	case d.runs():
		return a.runModule(ctx, m, d.run)
	}
	return nil
}

// publishDev publishes a module under the next development version, grants it what it asks for, and runs it.
func (a *app) publishDev(ctx context.Context, d devLoop, m module) error {
	known, err := d.client.Plugin(ctx, m.manifest.Name)
	if err != nil && !sdk.IsNotFound(err) {
		return err
	}
	copied := *m.manifest
	copied.Version = nextDev(m.manifest.Version, known.Versions)
	raw, err := json.Marshal(copied)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	packed, err := wasmplugins.Pack(m.bytes, raw)
	if err != nil {
		return err
	}
	v, err := d.client.UploadPlugin(ctx, packed)
	if err != nil {
		return err
	}
	if _, err := d.client.Grant(ctx, sdk.NewGrant{Plugin: v.Plugin, Version: v.Version}); err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Published %s %s, and granted what it asks for.\n", v.Plugin, v.Version)
	if !d.runs() {
		return nil
	}
	action, params, err := d.run.request(a, m)
	if err != nil {
		return err
	}
	run, err := d.client.StartRun(ctx, sdk.StartRun{Work: sdk.Work{Plugin: v.Plugin, Version: v.Version, Action: action, Params: params}})
	if err != nil {
		return err
	}
	return a.attend(ctx, d.client, run, waitFlags{follow: true})
}

// nextDev is the development version that comes after those that there are.
func nextDev(version string, known []sdk.PluginVersion) string {
	prefix, last := version+"-dev.", 0
	if strings.Contains(version, "-") {
		prefix = version + ".dev."
	}
	for _, v := range known {
		if rest, ok := strings.CutPrefix(v.Version, prefix); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				last = max(last, n)
			}
		}
	}
	return prefix + strconv.Itoa(last+1)
}

// quiet says which files are no sources: what building writes, what editors leave for a moment.
func quiet(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".wasm") ||
		name == "node_modules" || name == "target"
}
