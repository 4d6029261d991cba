package api

import (
	"context"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
)

func toUser(u octopus.User) sdk.User {
	return sdk.User{
		ID: u.ID, Username: u.Username, Email: u.Email, DisplayName: u.DisplayName, Role: string(u.Role), Active: u.Active,
		Zone: u.Zone, Theme: u.Theme, CreatedAt: utc(u.CreatedAt), LastLogin: utc(u.LastLogin),
		FailedAttempts: u.FailedAttempts, DelayedUntil: utc(u.DelayedUntil),
	}
}

// UserRef is the path of one user.
type UserRef struct {
	ID string `path:"id" maxLength:"64" doc:"Id or user name."`
}

func (a *API) listUsers(ctx context.Context, _ *struct{}) (*list[sdk.User], error) {
	users, err := a.store.Users(ctx)
	if err != nil {
		return nil, err
	}
	return page(users, "", toUser), nil
}

func (a *API) getUser(ctx context.Context, in *UserRef) (*one[sdk.User], error) {
	u, err := a.store.User(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &one[sdk.User]{Body: toUser(u)}, nil
}

type createUserInput struct {
	Keyed
	Body sdk.NewUser
}

func (a *API) createUser(ctx context.Context, in *createUserInput) (*created[sdk.User], error) {
	claim, err := a.claim(ctx, in.Keyed, "POST /users", octopus.PrefixUser)
	if err != nil {
		return nil, err
	}
	if claim.replay {
		if u, err := a.store.User(ctx, claim.id); err == nil {
			return made(Prefix+"/users/"+u.ID, true, toUser(u)), nil
		}
	}
	caller, _ := auth.FromContext(ctx)
	u, err := a.auth.CreateUser(ctx, caller, auth.NewUser{
		ID: claim.id, Username: in.Body.Username, Password: in.Body.Password, Email: in.Body.Email, DisplayName: in.Body.DisplayName,
		Role: octopus.Role(in.Body.Role),
	})
	if err != nil {
		return nil, a.release(ctx, claim, err)
	}
	return made(Prefix+"/users/"+u.ID, false, toUser(u)), nil
}

type updateUserInput struct {
	UserRef
	Body sdk.UserPatch `contentType:"application/merge-patch+json"`
}

func (a *API) updateUser(ctx context.Context, in *updateUserInput) (*one[sdk.User], error) {
	caller, _ := auth.FromContext(ctx)
	b := in.Body
	change := auth.UserChange{
		Email: b.Email, DisplayName: b.DisplayName, Password: b.Password, Zone: b.Zone, Theme: b.Theme,
		Active: b.Active,
	}
	if b.Role != nil {
		role := octopus.Role(*b.Role)
		change.Role = &role
	}
	u, err := a.auth.UpdateUser(ctx, caller, in.ID, change)
	if err != nil {
		return nil, err
	}
	return &one[sdk.User]{Body: toUser(u)}, nil
}

func (a *API) deleteUser(ctx context.Context, in *UserRef) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	return nil, a.auth.DeleteUser(ctx, caller, in.ID)
}
