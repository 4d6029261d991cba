package cli

import "testing"

func TestBannerNamesTheDataFolder(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"octopus-data": "", "./octopus-data/": "", "elsewhere": " --context ./elsewhere", "../x": " --context ../x",
		"/srv/octopus": " --context /srv/octopus", "my data": " --context './my data'", "it's": ` --context './it'\''s'`,
	} {
		if got := contextFlag(data); got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
}
