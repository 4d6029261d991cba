package main

import (
	"strings"
	"testing"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/hosttest"
)

const disks = `{"disks":[
	{"mount":"/","fs":"ext4","total_bytes":1000,"used_percent":40,"inodes_used_percent":95},
	{"mount":"/var","fs":"xfs","total_bytes":1000,"used_percent":91.5},
	{"mount":"/mnt/old/a","fs":"ext4","total_bytes":1000,"used_percent":99},
	{"mount":"/snap/x","fs":"squashfs","total_bytes":10,"used_percent":100},
	{"mount":"/none","fs":"ext4"}]}`

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params        string
		status        int
		code, message string
	}{
		"all":         {`{}`, 417, "too_full", "/ has used 95.0 % of its inodes, /var is 91.5 % full, /mnt/old/a is 99.0 % full (limit 90 %)."},
		"ignored":     {`{"ignore":["/mnt/","/var"],"inodes":false}`, 200, "", "1 file system, the fullest is / with 40.0 %."},
		"some":        {`{"mounts":["/var"],"warn_percent":92}`, 200, "", "1 file system, the fullest is /var with 91.5 %."},
		"exactly":     {`{"mounts":["/var"],"warn_percent":91.5}`, 417, "too_full", "/var is 91.5 % full"},
		"not mounted": {`{"mounts":["/srv","/"]}`, 404, "not_found", "Nothing is mounted at /srv."},
		"nothing":     {`{"ignore":["/"]}`, 404, "not_found", "no file system"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"host.info": disks}}
			a := h.Run(t, plugin.Actions{"check": plugin.Action(check)}, "check", c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.message) {
				t.Errorf("got %d %q %q, want %d %q …%q…", a.StatusCode, a.Error.Code, a.Message, c.status, c.code, c.message)
			}
		})
	}
}
