"""The container's files, checked without a container engine."""

import json
import re
import shutil
import subprocess
import sys

from conftest import PROJECT

DOCKERFILE = (PROJECT / "fake-pipeline" / "Dockerfile").read_text()


def copies():
    return re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE)


def test_every_file_the_dockerfile_copies_exists():
    assert len(copies()) == 4
    for source, _ in copies():
        assert (PROJECT / source).exists(), source


def test_the_containers_command_runs_on_the_copied_files_alone(tmp_path):
    root = tmp_path / "srv"
    for source, target in copies():
        if (PROJECT / source).is_dir():
            shutil.copytree(PROJECT / source, root / target)
        else:
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / source, root / target)
    words = json.loads(re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE).group(1))
    assert words[0] == "python"
    path = re.search(r"^ENV PYTHONPATH=/srv/(\S+)$", DOCKERFILE, re.MULTILINE).group(1)
    # The same words, but for the port and the folder that only a container has to itself.
    changes = {"8088": "0", "/data": str(tmp_path / "data"), "0.0.0.0": "127.0.0.1"}
    command = [sys.executable, *(changes.get(word, word) for word in words[1:])]
    environment = {"PYTHONPATH": str(root / path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert b"ready http://" in process.stdout.readline()
        finally:
            process.terminate()
    assert (tmp_path / "data" / "pipeline.duckdb").exists()


def test_the_ports_of_command_image_and_compose_file_agree():
    compose = (PROJECT / "docker-compose.yml").read_text()
    assert "EXPOSE 8088" in DOCKERFILE and '"--port", "8088"' in DOCKERFILE
    assert '"127.0.0.1:8088:8088"' in compose
    assert "dockerfile: fake-pipeline/Dockerfile" in compose
    assert re.search(r"- fake-pipeline-data:/data$", compose, re.MULTILINE)


def test_every_requirement_is_pinned():
    lines = (PROJECT / "fake-pipeline" / "requirements.txt").read_text().splitlines()
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line), line


def test_the_image_and_the_tests_use_the_same_versions():
    tested = (PROJECT / "requirements.txt").read_text()
    image = (PROJECT / "fake-pipeline" / "requirements.txt").read_text()
    for pin in re.findall(r"^[a-z0-9-]+==[0-9.]+$", image, re.MULTILINE):
        assert re.search(rf"^{re.escape(pin)} \\$", tested, re.MULTILINE), pin
