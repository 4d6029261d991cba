package agent

import (
	"strings"
	"testing"
)

// TestConfigNames: what the server would refuse at enrolment is refused before, and says which setting it is.
func TestConfigNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		labels map[string]string
		says   string
	}{
		{"", nil, ""}, {"büro-пк", map[string]string{"env": "prod", "role": ""}, ""},
		{"my box", nil, "agent.name (--name): An agent's name has no spaces"}, {"agt_1", nil, "agent.name (--name)"},
		{"", map[string]string{"two words": "x"}, "agent.labels (--label): A label's name"},
		{"", map[string]string{"env": "a\nb"}, "agent.labels (--label): A label's value"},
	} {
		c := Defaults()
		c.Name, c.Labels = tc.name, tc.labels
		err := c.Validate()
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q %q: %v", tc.name, tc.labels, err)
		}
	}
}
