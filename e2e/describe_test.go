package e2e_test

import (
	"errors"
	"fmt"
	"strings"

	"octopus/sdk"
)

// describe is all that an error of the API tells a person: its sentence and its fields.
func describe(err error) string {
	var e *sdk.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	parts := []string{e.Error()}
	for _, f := range e.Fields {
		parts = append(parts, f.Field+": "+f.Message)
	}
	return strings.Join(parts, "\n")
}
