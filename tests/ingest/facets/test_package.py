from __future__ import annotations

import shlex
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.facets.package import MAX_NAME, MAX_PACKAGES, package_facet
from ingest.schema import DTYPES


def facet(manager: str, action: str, *packages: str) -> dict[str, object]:
    found: dict[str, object] = {
        "trailwarden.package.manager": manager,
        "trailwarden.package.action": action,
    }
    return found | {"package.name": list(packages)} if packages else found


@pytest.mark.parametrize(
    ("command", "manager", "action", "packages"),
    [
        ("apt install nmap", "apt", "install", "nmap"),
        ("apt-get -o x=y -y install nmap=1.2 g++ libc6:i386", "apt", "install", "nmap g++ libc6"),
        ("apt-get -y -t bookworm-backports install curl/stable", "apt", "install", "curl"),
        ("apt install ./tool_1.0=x.deb", "apt", "install", "./tool_1.0=x.deb"),
        ("aptitude purge auditd", "apt", "remove", "auditd"),
        ("apt-get update", "apt", "update", ""),
        ("apt-get download nmap", "apt", "download", "nmap"),
        ("dpkg -i /srv/x.deb", "dpkg", "install", "/srv/x.deb"),
        ("dpkg --force-all --install x.deb", "dpkg", "install", "x.deb"),
        ("dpkg --root=/host -i x.deb", "dpkg", "install", "x.deb"),
        ("dpkg --purge falco", "dpkg", "remove", "falco"),
        ("/sbin/apk --no-cache add --virtual .deps gcc 'nmap>7' make~4", "apk", "install",
         "gcc nmap make"),
        ("apk add nmap@edge -X https://u:p@mirror.example/main", "apk", "install", "nmap"),
        ("apk del curl", "apk", "remove", "curl"),
        ("yum -y --enablerepo epel install nmap-7.9", "yum", "install", "nmap-7.9"),
        ("dnf5 group install 'Development Tools'", "dnf", "install", "Development Tools"),
        ("microdnf install nc", "dnf", "install", "nc"),
        ("dnf upgrade", "dnf", "update", ""),
        ("rpm -ivh x.rpm", "rpm", "install", "x.rpm"),
        ("rpm -U --nodeps x.rpm", "rpm", "install", "x.rpm"),
        ("rpm -e auditd", "rpm", "remove", "auditd"),
        ("zypper -n in -r main nmap", "zypper", "install", "nmap"),
        ("pacman -S --noconfirm nmap", "pacman", "install", "nmap"),
        ("pacman -Syu", "pacman", "update", ""),
        ("pacman -Rns nmap", "pacman", "remove", "nmap"),
        ("pip3.11 install -U 'requests[socks]>=2,<3' flask==1", "pip", "install", "requests flask"),
        ("python3 -m pip --proxy http://u:p@x install -r requirements.txt", "pip", "install", ""),
        ("pip uninstall -y x", "pip", "remove", "x"),
        ("pip download x", "pip", "download", "x"),
        ("uv pip install x==1", "uv", "install", "x"),
        ("uv add x", "uv", "install", "x"),
        ("uv tool install ruff@1", "uv", "install", "ruff"),
        ("pipx install x", "pipx", "install", "x"),
        ("npm i -g @a/b@1 c", "npm", "install", "@a/b c"),
        ("npm ci", "npm", "install", ""),
        ("node /usr/bin/npm install evil", "npm", "install", "evil"),
        ("yarn", "yarn", "install", ""),
        ("yarn global add x", "yarn", "install", "x"),
        ("pnpm add x", "pnpm", "install", "x"),
        ("gem install rails:7.0 -v 7.0", "gem", "install", "rails"),
        ("cargo install ripgrep@13 --root /tmp", "cargo", "install", "ripgrep"),
        ("go install example.com/x/cmd@latest", "go", "install", "example.com/x/cmd"),
        ("conda install -c forge numpy=1.2", "conda", "install", "numpy"),
        ("snap install --classic go", "snap", "install", "go"),
        ("snap refresh", "snap", "update", ""),
        ("flatpak install flathub org.example.X", "flatpak", "install", "org.example.X"),
        ("brew install python@3.11", "brew", "install", "python@3.11"),
        ("opkg install x", "opkg", "install", "x"),
        ("nix-env -iA nixpkgs.hello", "nix", "install", "nixpkgs.hello"),
        ("nix profile install nixpkgs#hello", "nix", "install", "nixpkgs#hello"),
        ("easy_install x", "pip", "install", "x"),
        # through wrappers
        ("sudo -u root env A=b nohup timeout 5 /usr/bin/apt-get install x", "apt", "install", "x"),
        ("sh -c 'apt update && apt install -y nmap >/dev/null 2>&1'", "apt", "install", "nmap"),
        ('busybox sh -c "apk add curl"', "apk", "install", "curl"),
        ("/usr/bin/python3 /usr/bin/dnf -y install nmap", "dnf", "install", "nmap"),
        ("bash -lc 'a\"p\"t-get${IFS}install${IFS}nmap'", "apt", "install", "nmap"),
        ("chroot /host apt-get install x", "apt", "install", "x"),
        ("sh -c 'apt remove a; pip install b; apt install c b'", "pip", "install", "b c"),
        ("bash -c 'curl -sL https://x.example | bash -; apt-get install -y nodejs'", "apt",
         "install", "nodejs"),
    ],
)  # fmt: skip
def test_a_manager_is_understood(command: str, manager: str, action: str, packages: str) -> None:
    named = [packages] if packages == "Development Tools" else packages.split()

    assert package_facet(shlex.split(command)) == facet(manager, action, *named)


@pytest.mark.parametrize(
    "command",
    [
        "apt list --installed",
        "apt-cache policy nmap",
        "apt",
        "dpkg -l",
        "dpkg --configure -a",
        "dpkg-query -W",
        "apk info -v",
        "dnf list installed",
        "yum search nmap",
        "rpm -qip x.rpm",
        "rpm -Va",
        "rpm --import key",
        "pacman -Ss nmap",
        "pacman -Qi bash",
        "pip list",
        "pip freeze",
        "pip",
        "npm run build",
        "npm test",
        "yarn build",
        "uv run x",
        "uv",
        "go build ./...",
        "cargo build",
        "helm install web ./chart",
        "kubectl apply -f x",
        "echo apt install x",
        "grep -r 'apt install' /docs",
        "sh -c 'echo \"apt install x\"'",
        "systemctl status apt-daily.timer",
        "vim /etc/apt/sources.list",
        "install -m 755 a b",
        "python3 app.py install",
        "make install",
        "snap list",
        "",
    ],
)
def test_what_installs_nothing_has_no_facet(command: str) -> None:
    assert package_facet(shlex.split(command)) == {}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("pip install git+https://ann:secret@git.example/a/b.git@v1?token=t", "a/b.git@v1"),
        ("rpm -i https://ann:secret@repo.example/x.rpm", "x.rpm"),
        ("npm i https://secret@npm.example/x.tgz#secret", "x.tgz"),
    ],
)
def test_credentials_of_an_address_are_left_out(command: str, name: str) -> None:
    packages = package_facet(command.split())["package.name"]

    assert isinstance(packages, list)
    (package,) = packages
    assert package.endswith(f".example/{name}")
    assert "secret" not in package
    assert "token" not in package


def test_names_are_many_and_long_up_to_a_limit() -> None:
    words = ["x" * 1_000, *(f"p{number}" for number in range(10_000))]

    names = package_facet(["apt", "install", *words])["package.name"]

    assert isinstance(names, list)
    assert len(names) == MAX_PACKAGES
    assert len(names[0]) == MAX_NAME


@pytest.mark.parametrize(
    "args",
    [
        ["sh", "-c", "apt install " + "x'" * 500_000],
        ["sh", "-c", "sh -c '" * 100_000 + "apt"],
        ["apt", *["-o"] * 500_000],
        ["sudo"] * 500_000,
        ["sh", "-c", "apt;" * 250_000],
    ],
    ids=["quotes", "shells", "options", "wrappers", "commands"],
)
def test_a_hostile_command_costs_little(args: list[str]) -> None:
    started = time.process_time()

    package_facet(args)

    assert time.process_time() - started < 0.25


@given(
    st.lists(
        st.text(max_size=6)
        | st.sampled_from(["apt", "uv", "rpm", "-i", "install", "sh", "-c", "apt add", "yarn", "-"])
    )
)
def test_any_words_give_columns_of_the_schema(args: list[str]) -> None:
    found = package_facet(args)

    assert set(found) <= set(DTYPES)
    assert not found or found["trailwarden.package.action"] in {
        "install",
        "remove",
        "update",
        "download",
    }
