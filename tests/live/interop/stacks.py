"""The stacks: what each needs, and how its proxies come out of our descriptions."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import pytest

HERE = Path(__file__).parent
WSDL = HERE.parents[2] / "wsdl"


class Soap(StrEnum):
    V11 = "1.1"
    V12 = "1.2"


@dataclass(frozen=True)
class Stack(ABC):
    """A SOAP stack speaking one version of SOAP."""

    soap: Soap
    name: ClassVar[str]
    packages: ClassVar[str]
    """In Debian, as `need_live_packages` installs them."""

    def command(self, folder: Path, base_url: str) -> list[str]:
        """Generate the proxies and make the program in `folder`. Skips where the stack is not installed."""
        if not self._installed():
            pytest.skip(f"no SOAP stack {self.name}: apt-get install {self.packages}")
        return self._made(folder, base_url)

    @abstractmethod
    def _installed(self) -> bool: ...

    @abstractmethod
    def _made(self, folder: Path, base_url: str) -> list[str]: ...

    def __str__(self) -> str:
        return f"{self.name}-{self.soap}"


class Mono(Stack):
    """Classes by `wsdl`, from our files."""

    name = "mono"
    packages = "mono-devel"
    _NAMESPACES: ClassVar = {
        "server": "Server",
        "certification": "Certification",
        "publish": "Publishing",
        "template_distribution": "Templates",
        "license": "Licensing",
    }

    def _installed(self) -> bool:
        return all(map(shutil.which, ("mono", "mcs", "wsdl")))

    def _made(self, folder: Path, base_url: str) -> list[str]:
        binding = {Soap.V11: "Soap", Soap.V12: "Soap12"}[self.soap]
        proxies = []
        for service, namespace in self._NAMESPACES.items():
            proxies.append(str(folder / f"{service}.cs"))
            words = [f"-protocol:{binding}", f"-namespace:{namespace}", f"-out:{proxies[-1]}"]
            _run("wsdl", "-nologo", *words, str(WSDL / f"{service}.wsdl"))
        program = str(folder / "client.exe")
        _run("mcs", "-nologo", "-r:System.Web.Services", f"-out:{program}", str(HERE / "client.cs"), *proxies)
        return ["mono", program, base_url, "Basic"]


class Php(Stack):
    """Methods at run time, from what the serving process answers to `?wsdl`."""

    name = "php"
    packages = "php-cli php-soap"

    def _installed(self) -> bool:
        probe = ["php", "-r", "exit(class_exists('SoapClient') ? 0 : 1);"]
        return shutil.which("php") is not None and subprocess.run(probe, check=False).returncode == 0

    def _made(self, folder: Path, base_url: str) -> list[str]:
        return ["php", str(HERE / "client.php"), base_url, self.soap]


class Gsoap(Stack):
    """Stubs in C++ by `wsdl2h` and `soapcpp2`, from our files: validated against the schema, either way."""

    name = "gsoap"
    packages = "gsoap libgsoap-dev g++"
    _SERVICES = ("certification", "license", "publish", "server", "template_distribution")

    def _installed(self) -> bool:
        return all(map(shutil.which, ("wsdl2h", "soapcpp2", "g++"))) and Path("/usr/include/stdsoap2.h").is_file()

    def _made(self, folder: Path, base_url: str) -> list[str]:
        descriptions = [str(WSDL / f"{service}.wsdl") for service in self._SERVICES]
        _run("wsdl2h", "-t", str(HERE / "typemap.dat"), "-o", "rms.h", *descriptions, folder=folder)
        version = {Soap.V11: "-1", Soap.V12: "-2"}[self.soap]
        _run("soapcpp2", version, "-C", "-L", "-w", "-x", "-I/usr/share/gsoap/import", "rms.h", folder=folder)
        sources = [str(HERE / "client.cpp"), "soapC.cpp", "soapClient.cpp"]
        _run("g++", "-O0", "-I.", "-o", "client", *sources, "-lgsoap++", folder=folder)
        return [str(folder / "client"), base_url]


def _run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


STACKS: tuple[Stack, ...] = tuple(stack(soap) for stack in (Mono, Php, Gsoap) for soap in Soap)
