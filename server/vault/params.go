package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"octopus/internal/octopus"
)

// Bounds of one user's parameters. They travel with each offer of work to a plugin that may know them.
const (
	MaxCategories = 32
	MaxParams     = 32 << 10 // bytes, of all categories together
)

func paramsName(userID, category string) string {
	return "user params\x00" + userID + "\x00" + category
}

// Params returns a user's parameters: a JSON object for each category.
func (v *Vault) Params(ctx context.Context, userID string) (map[string]json.RawMessage, error) {
	return v.params(ctx, userID, nil)
}

// params opens the categories that are wanted, or all.
func (v *Vault) params(ctx context.Context, userID string, wanted []string) (map[string]json.RawMessage, error) {
	rows, err := v.store.UserParams(ctx, userID)
	if err != nil {
		return nil, err
	}
	out := make(map[string]json.RawMessage, len(rows))
	for _, row := range rows {
		if wanted != nil && !slices.Contains(wanted, row.Category) {
			continue
		}
		value, err := v.open("The category "+row.Category, paramsName(userID, row.Category), row.Sealed)
		if err != nil {
			return nil, err
		}
		out[row.Category] = value
	}
	return out, nil
}

// ParamsFor returns those categories of a user's parameters that a plugin was granted, by user name or id. A user who
// is gone has none.
func (v *Vault) ParamsFor(ctx context.Context, user string, categories []string) (map[string]json.RawMessage, error) {
	if len(categories) == 0 {
		return nil, nil
	}
	u, err := v.store.User(ctx, user)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return v.params(ctx, u.ID, categories)
}

// SetParams changes a user's parameters: a category that patch names is replaced as a whole, null removes it, and the
// others stay as they are.
func (v *Vault) SetParams(ctx context.Context, userID string, patch map[string]json.RawMessage) error {
	all, err := v.Params(ctx, userID)
	if err != nil {
		return err
	}
	var remove []string
	for _, category := range slices.Sorted(maps.Keys(patch)) {
		if string(patch[category]) == "null" {
			delete(all, category)
			remove = append(remove, category)
			continue
		}
		if err := checkParams(category, patch[category]); err != nil {
			return err
		}
		all[category] = patch[category]
	}
	if err := checkSize(all); err != nil {
		return err
	}
	var set []octopus.UserParams
	for category, value := range patch {
		if string(value) == "null" {
			continue
		}
		sealed, err := v.seal(ctx, paramsName(userID, category), value)
		if err != nil {
			return err
		}
		set = append(set, octopus.UserParams{UserID: userID, Category: category, Sealed: sealed})
	}
	return v.store.SetUserParams(ctx, userID, set, remove)
}

func checkSize(all map[string]json.RawMessage) error {
	size := 0
	for category, value := range all {
		size += len(category) + len(value)
	}
	switch {
	case len(all) > MaxCategories:
		return octopus.InvalidField("/params", "A user has at most %d categories of parameters.", MaxCategories)
	case size > MaxParams:
		return octopus.InvalidField("/params", "A user's parameters have at most %d KiB together.", MaxParams>>10)
	}
	return nil
}

func checkParams(category string, value json.RawMessage) error {
	if !octopus.ValidPlainName(category) {
		return octopus.InvalidField("/params", "A category's name has 1 to 128 letters, digits, dots, dashes and underscores.")
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) != nil || object == nil {
		return octopus.InvalidField("/params/"+category, "The parameters of a category must be a JSON object.")
	}
	return nil
}

// Adopt seals the parameters that versions before the vault stored in the clear.
func (v *Vault) Adopt(ctx context.Context) error {
	users, err := v.store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if len(u.PlainParams) == 0 {
			continue
		}
		var all map[string]json.RawMessage
		if json.Unmarshal(u.PlainParams, &all) != nil {
			all = nil
		}
		for category, value := range all {
			if checkParams(category, value) != nil {
				v.log.Warn("a user's parameters that are no object of a category were dropped", "user", u.Username, "category", category)
				delete(all, category)
			}
		}
		if err := v.SetParams(ctx, u.ID, all); err != nil {
			return fmt.Errorf("parameters of %s: %w", u.Username, err)
		}
		if _, err := v.store.UpdateUser(ctx, u.ID, func(u *octopus.User) error { u.PlainParams = nil; return nil }); err != nil {
			return err
		}
	}
	return nil
}
