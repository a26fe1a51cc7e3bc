"""The doors of the API: who asks, may they, and did they mean to."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from streams.dashboard.access import Role, User
from streams.dashboard.screen import Screen


def screen_of(request: Request) -> Screen:
    """Give the dashboard that serves this request."""
    screen = request.app.state.screen
    if not isinstance(screen, Screen):
        raise TypeError(f"state.screen is {type(screen)}; must be a Screen")
    return screen


TheScreen = Annotated[Screen, Depends(screen_of)]


def current_user(request: Request, screen: TheScreen) -> User:
    """Tell who asks; 401 for strangers."""
    user = screen.access.user_of(request)
    if user is None and screen.access.is_open:
        raise HTTPException(403, "This dashboard is reached by the name of its own machine only.")
    if user is None:
        raise HTTPException(401, "Enter with a token first.", {"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[User, Depends(current_user)]


def may(role: Role) -> Callable[[Request, User, Screen], User]:
    """Let only those in who may do this, and only from our own page."""

    def check(request: Request, user: CurrentUser, screen: TheScreen) -> User:
        if not screen.access.is_meant(request, user):
            raise HTTPException(403, "The page is out of date: load it again.")
        must_be(role, user)
        return user

    return check


def must_be(role: Role, user: User) -> None:
    """Turn away whoever has a lesser role."""
    if user.role < role:
        raise HTTPException(
            403, f"This takes the role {role.name.lower()}; yours is {user.role.name.lower()}."
        )


Analyst = Annotated[User, Depends(may(Role.ANALYST))]
Approver = Annotated[User, Depends(may(Role.APPROVER))]
