"""The blocks of docs/recipes.md run as they stand, in hosts with the names and signatures of the real ones."""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE
from ganetics.losses import GANetic, GANeticBatchSum, RelativisticAverage, as_criterion
from ganetics.losses.theory import theory_card

ROOT = Path(__file__).parents[1]
STEPS = 3
BATCH = 16
LATENT = 4
"""Also the size of an image: data are points."""
EXECUTED = {
    "What learning rate to start from": 1,
    "Which loss": 1,
    "A plain PyTorch loop": 2,
    "Lightning": 1,
    "PyTorch-StudioGAN": 2,
    "StyleGAN2-ADA and StyleGAN3": 2,
    "BasicSR": 1,
    "Keras": 2,  # tests/test_recipes_keras.py
}
"""Section → its Python blocks, all of which a test below runs."""

Namespace = dict[str, Any]
Recipes = Any
"""The class in conftest.py, which cannot be imported: the tests are no package."""


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Networks:
    """A generator, a discriminator, their optimizers and some data; knows afterwards what came of them."""

    def __init__(self) -> None:
        self.generator = nn.Linear(LATENT, LATENT)
        self.discriminator = nn.Sequential(nn.Linear(LATENT, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), 1e-2)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), 1e-2)
        self.data = [torch.randn(BATCH, LATENT) + 2 for _ in range(STEPS)]
        self._before = [weight.detach().clone() for weight in self._weights()]

    def assert_trained(self) -> None:
        for weight, before in zip(self._weights(), self._before, strict=True):
            assert weight.isfinite().all()
            assert not torch.equal(weight, before)

    def _weights(self) -> list[nn.Parameter]:
        return [*self.generator.parameters(), *self.discriminator.parameters()]


def assert_ganetic(real: Tensor, fake: Tensor, d_loss: Tensor, fake_later: Tensor, g_loss: Tensor) -> None:
    """Check that the losses of a step are those of the catalogue."""
    loss = CATALOGUE["ganetic"].make()
    torch.testing.assert_close(d_loss, loss.discriminator(real_logits=real, fake_logits=fake))
    torch.testing.assert_close(g_loss, loss.generator(fake_logits=fake_later))


def run(block: str, **names: Any) -> Namespace:
    """Execute a block with these names at hand, and return all names."""
    exec(compile(block, "docs/recipes.md", "exec"), names)
    return names


def in_host(recipes: Recipes, host: Callable[..., Any], *blocks: str, **names: Any) -> Any:
    """Return the host, a function or a class, with the blocks put in."""
    source = inspect.getsource(host)
    for block in blocks:
        source = recipes.changed(source, block)
    return run(source, torch=torch, nn=nn, F=F, Tensor=Tensor, math=math, **names)[host.__name__]


def module(patch: pytest.MonkeyPatch, name: str, **names: Any) -> ModuleType:
    """Make a module that can be imported."""
    made = ModuleType(name)
    vars(made).update(names)
    patch.setitem(sys.modules, name, made)
    return made


# ---------------------------------------------------------------- the page


def test_every_block_is_run_by_a_test(recipes: Recipes) -> None:
    found = {heading: len(recipes.blocks(heading)) for heading in recipes.sections}
    assert {heading: count for heading, count in found.items() if count} == EXECUTED
    assert recipes.text.count("```python") == sum(EXECUTED.values())


# ---------------------------------------------------------------- the loss and its rate


def test_the_sweep_finds_each_losss_rate(recipes: Recipes) -> None:
    (block,) = recipes.blocks("What learning rate to start from")
    calls = []

    def train(loss: Any, rate: float, seed: int) -> float:
        calls.append((loss.name, rate, seed))
        target = {"ganetic": 3e-4, "non-saturating": 3e-3}[loss.name]
        return 30.0 * math.exp(abs(math.log(rate / target))) + seed

    found = run(block, train=train, learning_rate=1e-3)
    assert found["best"] == {"ganetic": 0.3, "non-saturating": 3.0}
    assert len(set(calls)) == 2 * 3 * 3


def test_three_ways_to_a_loss(recipes: Recipes) -> None:
    (block,) = recipes.blocks("Which loss")
    found = run(block)
    logits = torch.linspace(-5, 5, 11)
    for name in ("by_class", "by_expression"):
        assert found[name].generator(fake_logits=logits).item() == pytest.approx(
            GANetic().generator(fake_logits=logits).item(), rel=1e-6
        )
    assert found["by_name"].name == "least-squares"


# ---------------------------------------------------------------- a plain loop


def plain_loop(generator: nn.Module, discriminator: nn.Module, optimizers: Any, data: list[Tensor]) -> list[Any]:
    log = []
    g_optimizer, d_optimizer = optimizers
    for real in data:
        fake = generator(torch.randn(real.shape))
        real_logits, fake_logits = discriminator(real), discriminator(fake.detach())
        d_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        fake_later = discriminator(fake)
        g_loss = F.binary_cross_entropy_with_logits(fake_later, torch.ones_like(fake_later))
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        log.append((real_logits, fake_logits, d_loss, fake_later, g_loss))
    return log


def a_side_at_a_time(netG: nn.Module, netD: nn.Module, optimizers: Any, data: list[Tensor]) -> list[Any]:
    """Do as pytorch/examples, dcgan/main.py does, with labels in a tensor."""
    log = []
    optimizerG, optimizerD = optimizers
    criterion = nn.BCELoss()
    for real in data:
        netD.zero_grad()
        label = torch.ones(len(real), 1)
        real_output = output = netD(real)
        errD_real = criterion(output, label)
        errD_real.backward()
        fake = netG(torch.randn(real.shape))
        label.fill_(0)
        fake_output = output = netD(fake.detach())
        errD_fake = criterion(output, label)
        errD_fake.backward()
        optimizerD.step()
        netG.zero_grad()
        label.fill_(1)
        output = netD(fake)
        errG = criterion(output, label)
        errG.backward()
        optimizerG.step()
        log.append((real_output, fake_output, errD_real + errD_fake, output, errG))
    return log


@pytest.mark.parametrize(("number", "host"), [(0, plain_loop), (1, a_side_at_a_time)])
def test_a_plain_loop(number: int, host: Callable[..., Any], recipes: Recipes) -> None:
    networks = Networks()
    loop = in_host(recipes, host, recipes.blocks("A plain PyTorch loop")[number])
    log = loop(networks.generator, networks.discriminator, (networks.g_optimizer, networks.d_optimizer), networks.data)
    assert len(log) == STEPS
    for found in log:
        assert_ganetic(*found)
    networks.assert_trained()


# ---------------------------------------------------------------- Lightning


class LightningModule(nn.Module):
    """What a module under manual optimization needs of Lightning."""

    automatic_optimization = True

    def optimizers(self) -> list[torch.optim.Optimizer]:
        if not hasattr(self, "_optimizers"):
            self._optimizers = self.configure_optimizers()
        return list(self._optimizers)

    def configure_optimizers(self) -> Any:
        raise NotImplementedError

    def manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        assert not self.automatic_optimization
        loss.backward(*args, **kwargs)  # type: ignore[no-untyped-call]

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def log_dict(self, dictionary: Mapping[str, Tensor], prog_bar: bool = False) -> None:
        self.logged = {name: value.detach() for name, value in dictionary.items()}


def test_a_lightning_module(recipes: Recipes, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = recipes.blocks("Lightning")
    module(monkeypatch, "lightning", LightningModule=LightningModule)
    networks = Networks()
    gan = run(block)["GAN"](networks.generator, networks.discriminator, latent_dim=LATENT, learning_rate=1e-2)
    logits: list[Tensor] = []
    networks.discriminator.register_forward_hook(lambda *call: logits.append(call[-1].detach()))
    for i, real in enumerate(networks.data):
        gan.training_step((real, torch.zeros(len(real))), i)
        real_logits, fake_logits, fake_later = logits[-3:]
        assert_ganetic(real_logits, fake_logits, gan.logged["d_loss"], fake_later, gan.logged["g_loss"])
    networks.assert_trained()
    assert all(key.startswith(("generator.", "discriminator.")) for key in gan.state_dict())


# ---------------------------------------------------------------- PyTorch-StudioGAN


def test_studiogan(recipes: Recipes) -> None:
    functions, registration = recipes.blocks("PyTorch-StudioGAN")
    losses = SimpleNamespace(**run(functions))
    chosen = run(registration, losses=losses, g_losses={"hinge": None}, d_losses={"hinge": None})
    (adv_loss,) = re.findall(r'adv_loss: "(\w+)"', recipes.sections["PyTorch-StudioGAN"])
    LOSS = SimpleNamespace(g_loss=chosen["g_losses"][adv_loss], d_loss=chosen["d_losses"][adv_loss])

    networks = Networks()
    for real in networks.data:  # as src/worker.py calls them
        fake = networks.generator(torch.randn(BATCH, LATENT))
        real_dict = {"adv_output": networks.discriminator(real).squeeze(1)}
        fake_dict = {"adv_output": networks.discriminator(fake.detach()).squeeze(1)}
        dis_acml_loss = LOSS.d_loss(real_dict["adv_output"], fake_dict["adv_output"], DDP=False)
        networks.d_optimizer.zero_grad()
        dis_acml_loss.backward()
        networks.d_optimizer.step()
        later_dict = {"adv_output": networks.discriminator(fake).squeeze(1)}
        gen_acml_loss = LOSS.g_loss(later_dict["adv_output"], DDP=False)
        networks.g_optimizer.zero_grad()
        gen_acml_loss.backward()
        networks.g_optimizer.step()
        real_logits, fake_logits, fake_later = (one["adv_output"] for one in (real_dict, fake_dict, later_dict))
        assert_ganetic(real_logits, fake_logits, dis_acml_loss, fake_later, gen_acml_loss)
    networks.assert_trained()


# ---------------------------------------------------------------- StyleGAN


class StyleGAN2Loss:
    """One value a sample, backward in each phase; the names of stylegan2-ada-pytorch's training/loss.py."""

    def __init__(self, G: nn.Module, D: nn.Module, r1_gamma: float) -> None:
        self.G, self.D, self.r1_gamma = G, D, r1_gamma

    def accumulate_gradients(self, phase: str, real_img: Tensor, gen_z: Tensor, gain: float) -> None:
        if phase == "Gmain":
            gen_logits = self.D(self.G(gen_z))
            loss_Gmain = F.softplus(-gen_logits)
            training_stats.report("Loss/G/loss", loss_Gmain)  # noqa: F821
            loss_Gmain.mean().mul(gain).backward()
            return
        loss_Dgen = 0.0
        if phase == "Dmain":
            gen_logits = self.D(self.G(gen_z))
            loss_Dgen = F.softplus(gen_logits)
            loss_Dgen.mean().mul(gain).backward()
        real_img_tmp = real_img.detach().requires_grad_(phase == "Dreg")
        real_logits = self.D(real_img_tmp)
        training_stats.report("Loss/scores/real", real_logits)  # noqa: F821
        training_stats.report("Loss/signs/real", real_logits.sign())  # noqa: F821
        loss_Dreal, loss_Dr1 = torch.zeros(()), torch.zeros(())
        if phase == "Dmain":
            loss_Dreal = F.softplus(-real_logits)
            training_stats.report("Loss/D/loss", loss_Dgen + loss_Dreal)  # noqa: F821
        if phase == "Dreg":
            r1_grads = torch.autograd.grad([real_logits.sum()], [real_img_tmp], create_graph=True)[0]
            loss_Dr1 = r1_grads.square().sum([1]) * (self.r1_gamma / 2)
        (real_logits * 0 + loss_Dreal + loss_Dr1.reshape(-1, 1)).mean().mul(gain).backward()


def stylegan(recipes: Recipes, blocks: list[str], networks: Networks) -> list[dict[str, Tensor]]:
    """Train with these blocks put in, and return what was reported in each step."""
    reports: list[dict[str, Tensor]] = []
    stats = SimpleNamespace(report=lambda name, value: reports[-1].update({name: value.detach()}))
    host = in_host(recipes, StyleGAN2Loss, *blocks, training_stats=stats)
    loss = host(networks.generator, networks.discriminator, r1_gamma=0.1)
    for real in networks.data:
        reports.append({})
        for phase, optimizer in (
            ("Gmain", networks.g_optimizer),
            ("Dmain", networks.d_optimizer),
            ("Dreg", networks.d_optimizer),
        ):
            optimizer.zero_grad()
            gen_z = torch.randn(BATCH, LATENT)
            if phase != "Dreg":
                key = "fake_g" if phase == "Gmain" else "fake_d"
                reports[-1][key] = networks.discriminator(networks.generator(gen_z)).detach()
                reports[-1]["real"] = networks.discriminator(real).detach()
            loss.accumulate_gradients(phase, real, gen_z, gain=1.0)
            optimizer.step()
    return reports


def test_stylegan(recipes: Recipes) -> None:
    networks = Networks()
    reports = stylegan(recipes, recipes.blocks("StyleGAN2-ADA and StyleGAN3")[:1], networks)
    unreduced = GANetic(reduction="none")
    for report in reports:
        expected = unreduced.discriminator(real_logits=report["real"], fake_logits=report["fake_d"])
        torch.testing.assert_close(report["Loss/D/loss"], expected)
        torch.testing.assert_close(report["Loss/G/loss"], unreduced.generator(fake_logits=report["fake_g"]))
    networks.assert_trained()


def test_stylegan_with_its_own_loss_is_what_it_was(recipes: Recipes) -> None:
    block = recipes.blocks("StyleGAN2-ADA and StyleGAN3")[0]
    assert "`NonSaturating()` in place of `GANetic()` gives back what was there" in recipes.text
    found = []
    for blocks in ([], [block.replace("GANetic", "NonSaturating")]):
        torch.manual_seed(0)
        found.append(stylegan(recipes, blocks, Networks()))
    assert len(found[0]) == STEPS
    for was, now in zip(*found, strict=True):
        assert was.keys() == now.keys()
        for name in was:
            torch.testing.assert_close(was[name], now[name])


def test_adas_sign_is_counted_from_the_equilibrium(recipes: Recipes) -> None:
    reports = stylegan(recipes, recipes.blocks("StyleGAN2-ADA and StyleGAN3"), Networks())
    for report in reports:
        signs = report["Loss/signs/real"]
        assert torch.equal(signs, (report["Loss/scores/real"] - 0.4013642).sign())
    # what the page says of the loss: between the two zeros lies what the plain sign would call overfitting
    optimum = theory_card(GANetic()).optimum
    assert optimum
    logits = [low or 0.0 for low in optimum.low]
    between = [share for share, logit in zip(optimum.shares, logits, strict=True) if 0 < logit < 0.4013]
    assert min(between) > 0.26
    assert max(between) < 0.5


# ---------------------------------------------------------------- BasicSR


class Registry:
    """Names to what makes losses."""

    def __init__(self) -> None:
        self.makers: dict[str, Any] = {}

    def register(self) -> Any:
        def keep(maker: Any) -> Any:
            self.makers[maker.__name__] = maker
            return maker

        return keep


class SRGANModel:
    """A step of each network as in BasicSR's srgan_model.py, with a pixel loss beside the GAN's."""

    def __init__(self, networks: Networks, cri_gan: nn.Module) -> None:
        self.net_g, self.net_d, self.cri_gan = networks.generator, networks.discriminator, cri_gan
        self.optimizer_g, self.optimizer_d = networks.g_optimizer, networks.d_optimizer

    def optimize_parameters(self, lq: Tensor, gt: Tensor) -> dict[str, Tensor]:
        self.net_d.requires_grad_(False)
        self.optimizer_g.zero_grad()
        output = self.net_g(lq)
        fake_g_pred = self.net_d(output)
        l_g_gan = self.cri_gan(fake_g_pred, True, is_disc=False)
        (F.l1_loss(output, gt) + l_g_gan).backward()
        self.optimizer_g.step()
        self.net_d.requires_grad_(True)
        self.optimizer_d.zero_grad()
        real_d_pred = self.net_d(gt)
        l_d_real = self.cri_gan(real_d_pred, True, is_disc=True)
        l_d_real.backward()
        fake_d_pred = self.net_d(output.detach())
        l_d_fake = self.cri_gan(fake_d_pred, False, is_disc=True)
        l_d_fake.backward()
        self.optimizer_d.step()
        loss_dict = {"l_g_gan": l_g_gan, "l_d_real": l_d_real, "l_d_fake": l_d_fake}
        return loss_dict | {"fake_g": fake_g_pred, "real": real_d_pred, "fake_d": fake_d_pred}


def test_basicsr(recipes: Recipes, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = recipes.blocks("BasicSR")
    (options,) = recipes.blocks("BasicSR", "yaml")
    registry = Registry()
    module(monkeypatch, "basicsr")
    module(monkeypatch, "basicsr.utils")
    module(monkeypatch, "basicsr.utils.registry", LOSS_REGISTRY=registry)
    run(block)
    gan_opt = dict(re.findall(r"(\w+): (?:!!float )?(\S+)\n", options))
    weight = float(gan_opt["loss_weight"])
    criterion = registry.makers[gan_opt["type"]](loss_weight=weight).to("cpu")

    networks = Networks()
    model = SRGANModel(networks, criterion)
    for gt in networks.data:
        found = model.optimize_parameters(torch.randn(BATCH, LATENT), gt)
        torch.testing.assert_close(found["l_g_gan"], weight * GANetic().generator(fake_logits=found["fake_g"]))
        both = GANetic().discriminator(real_logits=found["real"], fake_logits=found["fake_d"])
        torch.testing.assert_close(found["l_d_real"] + found["l_d_fake"], both)
    networks.assert_trained()

    pred = torch.zeros(2, 1)
    with pytest.raises(InputError, match="generator's step"):  # as ESRGANModel calls it
        criterion(pred, False, is_disc=False)
    for other in (RelativisticAverage(), GANeticBatchSum()):
        with pytest.raises(InputError, match="separable"):
            as_criterion(other)  # type: ignore[arg-type]  # that is the fault
