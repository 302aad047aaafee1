"""The stacks: what each needs, and how its proxies come out of our descriptions."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
    """In Debian; `need_soap_stacks` of scripts/environment.sh installs them."""

    def require(self) -> None:
        """Skips the test where the stack is not installed."""
        if not self._installed():
            pytest.skip(f"no SOAP stack {self.name}: apt-get install {self.packages}")

    @abstractmethod
    def _installed(self) -> bool: ...

    @abstractmethod
    def command(self, folder: Path, base_url: str) -> list[str]:
        """The client program, made in `folder` with generated proxies."""

    @abstractmethod
    def proxies(self, folder: Path, descriptions: Sequence[Path]) -> str:
        """What is generated from each description, compiled where that is a step of its own."""

    def __str__(self) -> str:
        return f"{self.name}-{self.soap}"


class Mono(Stack):
    """Classes by `wsdl`, from our files."""

    name = "mono"
    packages = "mono-devel"
    # The namespaces that client.cs knows them by: the services' types have the same names.
    _SERVICES: ClassVar[Mapping[str, str]] = {
        "certification": "Certification",
        "license": "Licensing",
        "publish": "Publishing",
        "server": "Server",
        "template_distribution": "Templates",
    }

    def _installed(self) -> bool:
        return all(map(shutil.which, ("mono", "mcs", "wsdl")))

    def command(self, folder: Path, base_url: str) -> list[str]:
        sources = [self._source(folder, WSDL / f"{file}.wsdl", name) for file, name in self._SERVICES.items()]
        program = str(folder / "client.exe")
        _run("mcs", "-nologo", "-r:System.Web.Services", f"-out:{program}", str(HERE / "client.cs"), *sources)
        return ["mono", program, base_url, "Basic"]

    def proxies(self, folder: Path, descriptions: Sequence[Path]) -> str:
        sources = [self._source(folder, file, f"Proxy.{file.stem}") for file in descriptions]
        library = f"-out:{folder / 'proxies.dll'}"
        _run("mcs", "-nologo", "-target:library", "-r:System.Web.Services", library, *sources)
        return "".join(Path(source).read_text("utf-8") for source in sources)

    def _source(self, folder: Path, description: Path, namespace: str) -> str:
        binding = {Soap.V11: "Soap", Soap.V12: "Soap12"}[self.soap]
        source = str(folder / f"{description.stem}.cs")
        words = [f"-protocol:{binding}", f"-namespace:{namespace}", f"-out:{source}"]
        _run("wsdl", "-nologo", *words, str(description))
        return source


class Php(Stack):
    """Methods at run time, for the client from what the serving process answers to `?wsdl`."""

    name = "php"
    packages = "php-cli php-soap"
    _LIST = "foreach (array_slice($argv, 1) as $file) echo implode('\n', (new SoapClient($file))->__getFunctions());"

    def _installed(self) -> bool:
        probe = ["php", "-r", "exit(class_exists('SoapClient') ? 0 : 1);"]
        return shutil.which("php") is not None and subprocess.run(probe, check=False).returncode == 0

    def command(self, folder: Path, base_url: str) -> list[str]:
        return ["php", str(HERE / "client.php"), base_url, self.soap]

    def proxies(self, folder: Path, descriptions: Sequence[Path]) -> str:
        # Else it remembers a description in a directory that everybody shares.
        return _run("php", "-d", "soap.wsdl_cache_enabled=0", "-r", self._LIST, *map(str, descriptions))


class Gsoap(Stack):
    """Stubs in C++ by `wsdl2h` and `soapcpp2`, from our files: answers are validated against the schema."""

    name = "gsoap"
    packages = "gsoap libgsoap-dev g++"
    _SERVICES = ("certification", "license", "publish", "server", "template_distribution")

    def _installed(self) -> bool:
        return all(map(shutil.which, ("wsdl2h", "soapcpp2", "g++"))) and Path("/usr/include/stdsoap2.h").is_file()

    def command(self, folder: Path, base_url: str) -> list[str]:
        self.proxies(folder, [WSDL / f"{service}.wsdl" for service in self._SERVICES])
        sources = [str(HERE / "client.cpp"), "soapC.cpp", "soapClient.cpp"]
        _run("g++", "-O0", "-I.", "-o", "client", *sources, "-lgsoap++", folder=folder)
        return [str(folder / "client"), base_url]

    def proxies(self, folder: Path, descriptions: Sequence[Path]) -> str:
        # Not compiled here: that takes seconds, and the story compiles five of them.
        _run("wsdl2h", "-t", str(HERE / "typemap.dat"), "-o", "rms.h", *map(str, descriptions), folder=folder)
        version = {Soap.V11: "-1", Soap.V12: "-2"}[self.soap]
        _run("soapcpp2", version, "-C", "-L", "-w", "-x", "-I/usr/share/gsoap/import", "rms.h", folder=folder)
        return (folder / "soapStub.h").read_text("utf-8")


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


STACKS: tuple[Stack, ...] = tuple(stack(soap) for stack in (Mono, Php, Gsoap) for soap in Soap)
