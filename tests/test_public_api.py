import subprocess
import sys

import lasernet


def test_the_public_names_are_few_and_all_there() -> None:
    wanted = {
        "train",
        "evaluate",
        "sample",
        "load_run",
        "open_dataset",
        "register_model",
        "register_loss",
        "count_parameters",
        "Model",
        "Loss",
        "Phase",
        "__version__",
    }
    assert set(lasernet.__all__) == wanted
    for name in wanted:
        assert getattr(lasernet, name) is not None


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, lasernet; assert not {'torch', 'numpy', 'h5py'} & set(sys.modules); lasernet.train"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "lasernet", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"lasernet {lasernet.__version__}\n"
