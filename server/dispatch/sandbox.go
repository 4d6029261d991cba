package dispatch

import (
	"fmt"
	"slices"

	"octopus/internal/octopus"
)

// asSandbox is a level that is asked for, in words.
func asSandbox(asked octopus.SandboxLevel) string {
	if asked == octopus.SandboxFull {
		return "a full sandbox"
	}
	return "a sandbox that is " + string(asked) + " or better"
}

// tooWeak says that an agent's sandbox is not what is asked for; whose is "Its" or "web-01's".
func tooWeak(whose string, has, asked octopus.SandboxLevel) string {
	if has == "" {
		return fmt.Sprintf("%s sandbox is not known, and %s is asked for.", whose, asked)
	}
	return fmt.Sprintf("%s sandbox is %s, and %s is asked for.", whose, has, asked)
}

// tooWeakAll says it of all agents that a selector means, which has some.
func tooWeakAll(selector string, agents []known, asked octopus.SandboxLevel) string {
	best := slices.MaxFunc(agents, func(a, b known) int {
		return slices.Index(octopus.SandboxLevels, a.sandbox) - slices.Index(octopus.SandboxLevels, b.sandbox)
	})
	text := tooWeak(best.name+"'s", best.sandbox, asked)
	if len(agents) == 1 {
		return text
	}
	whom := ""
	if selector != "*" {
		whom = " that match " + selector
	}
	return fmt.Sprintf("None of the %d agents%s has %s. %s", len(agents), whom, asSandbox(asked), text)
}
