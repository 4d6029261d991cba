package octopus

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		task, agent bool
	}{
		{"web-1.example", true, true}, {"überprüfung", true, true}, {"漢字", true, true}, {"two words", true, false}, {"a/b", true, false},
		{"", false, false}, {" ", false, false}, {"two\nlines", false, false}, {"\x1b[31mred", false, false}, {"nul\x00", false, false},
		{"abc\u202egnp.exe", false, false}, {"tsk_1", false, true}, {"agt_1", true, false},
		{strings.Repeat("é", 128), true, true}, {strings.Repeat("é", 129), false, true}, {strings.Repeat("x", 254), false, false},
	} {
		if err := CheckTaskName(tc.name); (err == nil) != tc.task {
			t.Errorf("task %q: %v", tc.name, err)
		}
		if err := CheckAgentName(tc.name); (err == nil) != tc.agent {
			t.Errorf("agent %q: %v", tc.name, err)
		}
	}
}
