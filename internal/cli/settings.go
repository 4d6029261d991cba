package cli

import (
	"embed"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"octopus/agent"
	"octopus/internal/settings"
	"octopus/server"
)

// fromEnv marks flags that OCTOPUS_<FLAG> may set and that are no settings.
const fromEnv = "octopus_env"

// bound are the settings of a command.
type bound struct {
	set      *settings.Set
	standard string       // the profile where nobody asks for one
	check    func() error // nil: what is wrong is the command's business
	flags    *pflag.FlagSet
	profile  string // once settled
}

// bind gives a command the settings of a struct, with a flag for each of keys, or for all where none is named. The
// root settles them before the command runs: from the strongest to the weakest, flags, OCTOPUS_… variables, the file
// that --config names, the profile, and what the struct holds.
func (a *app) bind(cmd *cobra.Command, into settings.Helper, standard string, check func() error, keys ...string) *bound {
	b := &bound{set: settings.New(into), standard: standard, check: check, flags: cmd.Flags()}
	b.set.Also = keysOfProcesses()
	for _, x := range b.set.All() {
		if len(keys) > 0 && !slices.Contains(keys, x.Key) {
			continue
		}
		f := cmd.Flags().VarPF(x, x.Flag, "", x.Help)
		f.DefValue = x.Default
		if f.DefValue == "none" {
			f.DefValue = ""
		}
		if x.Type() == "bool" {
			f.NoOptDefVal = "true"
		}
	}
	f := cmd.Flags()
	f.String("config", "", "YAML file with settings; flags and OCTOPUS_… variables win over it")
	f.String("profile", "", "settings that fit a purpose: "+strings.Join(slices.Sorted(maps.Keys(profiles())), ", ")+" (default "+standard+")")
	environment(f, "config", "profile")
	if a.bounds == nil {
		a.bounds = map[*cobra.Command]*bound{}
	}
	a.bounds[cmd] = b
	return b
}

// environment lets flags be set by OCTOPUS_<FLAG>.
func environment(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		flags.Lookup(name).Annotations = map[string][]string{fromEnv: nil}
	}
}

// settle fills in what the command line left out.
func (a *app) settle(cmd *cobra.Command) error {
	if err := fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	b := a.bounds[cmd]
	if b == nil {
		return nil
	}
	err := b.resolve()
	if b.check != nil {
		err = settings.Join(err, b.check())
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}

func (b *bound) resolve() (err error) {
	file, _ := b.flags.GetString("config")
	profile, _ := b.flags.GetString("profile")
	b.profile, err = b.set.Resolve(settings.Layers{
		Profile: profile, Standard: b.standard, Profiles: profiles(), File: file, Env: os.LookupEnv,
	})
	return err
}

func fromEnvironment(flags *pflag.FlagSet) (first error) {
	flags.VisitAll(func(f *pflag.Flag) {
		value := os.Getenv(settings.Variable(f.Name))
		if _, may := f.Annotations[fromEnv]; !may || first != nil || f.Changed || value == "" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			first = usagef("%s is not usable: %v.", settings.Variable(f.Name), err)
		}
	})
	return first
}

// keysOfProcesses are the keys of every process, so that one file can serve several of them.
func keysOfProcesses() []string {
	s, g := server.Config{}, agent.Config{}
	return append(settings.New(&s).Keys(), settings.New(&g).Keys()...)
}

//go:embed profiles/*.yaml
var profileFiles embed.FS

// profiles are the texts of the profiles, by name.
func profiles() map[string][]byte {
	all := map[string][]byte{}
	for _, name := range []string{"base", "dev", "prod"} {
		text, err := profileFiles.ReadFile(path.Join("profiles", name+".yaml"))
		if err != nil {
			panic(fmt.Sprintf("profile %s: %v", name, err)) // embedded
		}
		all[name] = text
	}
	return all
}
